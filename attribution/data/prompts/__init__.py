from attribution.data.prompts.jinja import LONGEST, compile_template, render, tell_of_unknown, used_fields
from attribution.data.prompts.prompt_template import Prompt, PromptTemplate
from attribution.data.prompts.promptsource import read_promptsource

__all__ = [
    "LONGEST",
    "Prompt",
    "PromptTemplate",
    "compile_template",
    "read_promptsource",
    "render",
    "tell_of_unknown",
    "used_fields",
]
