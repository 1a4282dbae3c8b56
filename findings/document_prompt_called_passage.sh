#!/usr/bin/env bash
# sentence-transformers 6.2.0: encode_document says that it takes the first of the prompts "document", "passage" and "corpus"
# that a model has. A model with the prompts "query" and "passage" (as E5's are called) gets an empty prompt "document" beside
# them when it is made, and that one is taken: documents are encoded without their prompt, and nothing says so. encode_query
# and encode(prompt_name="passage") take theirs. Expected: encode_document gives what encode(prompt_name="passage") gives.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 sentence-transformers==6.2.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import numpy as np
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import BoW

words = ["query", "passage", "cat", "sat", "mat"]
prompts = {"query": "query ", "passage": "passage "}
model = SentenceTransformer(modules=[BoW(words, {word: 1.0 for word in words})], prompts=prompts)
plain, query = model.encode("cat sat"), model.encode_query("cat sat")
named, document = model.encode("cat sat", prompt_name="passage"), model.encode_document("cat sat")
print(f"prompts {model.prompts}")
print(f"as a query {query}, with the prompt named {named}, as a document {document}, without a prompt {plain}")
asked = not np.array_equal(query, plain) and not np.array_equal(named, plain)
sys.exit(not (asked and np.array_equal(document, plain)))
PYTHON
