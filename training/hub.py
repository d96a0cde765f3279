"""An encoder of one's own, from the hub or a local folder: exported once with torch, served from then on without."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nlp.cache import (
    CONFIG_FILE,
    TOKENIZER_FILE,
    WHOLE_FILE,
    ExportedConfig,
    adapter_digest,
    building,
    intact,
    place,
    seal,
)
from nlp.errors import ModelError
from nlp.graph import WEIGHTS_FILE
from nlp.tokens import Specials

FORMAT = "2"  # of the exported folder; raise it when the files in it change meaning
E5_PREFIX = "query:"  # e5 models were trained with it, and do not say so in their configuration
LONGEST = 512  # tokens in a window for encoders that take more: attention beyond costs without helping comments


@dataclass(frozen=True, slots=True)
class Loaded:
    """A hub encoder in torch, and what must be known to serve it."""

    model: Any
    tokenizer_json: str
    config: ExportedConfig


def export_hub(
    name: str, cache_dir: Path, adapter: Mapping[str, np.ndarray] | None = None, prefix: str | None = None
) -> Path:
    """The folder with the exported encoder `name` (hub name or path), made on the first call.

    Needs the training extra where it is not made yet. `prefix` stands before every text; by default the model's own.
    """
    folder = cache_dir / f"hub-{_key(name, adapter, prefix)}"
    if intact(folder):
        return folder
    loaded = load(name, prefix)
    from training.export import export_whole

    if adapter:
        put_adapter(loaded.model, adapter)
    graph, weights = export_whole(loaded.model)
    config = replace(loaded.config, adapter=adapter_digest(adapter))
    try:
        with building(cache_dir) as aside:
            made = Path(aside) / folder.name
            made.mkdir()
            (made / WHOLE_FILE).write_bytes(graph)
            (made / WEIGHTS_FILE).write_bytes(weights)
            (made / TOKENIZER_FILE).write_text(loaded.tokenizer_json, "utf-8")
            (made / CONFIG_FILE).write_text(json.dumps(asdict(config)), "utf-8")
            seal(made)
            place(made, folder)
    except OSError as error:
        raise ModelError(f"cannot write the exported encoder {folder}: {error}; set HOLOS_CACHE_DIR") from None
    return folder


def load(name: str, prefix: str | None = None) -> Loaded:
    """A sentence-transformers or plain Hugging Face encoder; ModelError says what to install or which name is wrong."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise ModelError(
            f"the encoder {name} has not been exported here, which needs torch once: pip install 'holos[train]'"
        ) from None
    try:
        whole = SentenceTransformer(name, device="cpu")
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"cannot load the encoder {name}: {reason}; give a hub name or a model folder") from None
    tokenizer = whole.tokenizer
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(f"the encoder {name} has no tokenizer.json; choose one with a fast tokenizer")
    model = whole[0].auto_model.float().eval()
    config = ExportedConfig(
        name=name,
        dimension=model.config.hidden_size,
        longest=min(whole.max_seq_length or LONGEST, LONGEST),
        prefix=_prefix(name, whole.prompts) if prefix is None else prefix.rstrip(),
        pooling=_pooling(whole),
        specials=_specials(name, tokenizer),
    )
    return Loaded(model, tokenizer.backend_tokenizer.to_str(), config)


def _prefix(name: str, prompts: Mapping[str, str]) -> str:
    own = next((prompts[key] for key in ("query", "document", "passage") if prompts.get(key)), "")
    return own.rstrip() or (E5_PREFIX if "e5-" in name.lower() else "")


def _pooling(whole: Any) -> str:
    """How the encoder makes one vector of a text, for the record: heads read token states."""
    modes = [getattr(module, "pooling_mode", None) for module in whole]
    return str(next((mode for mode in modes if mode), "mean"))


def _specials(name: str, tokenizer: Any) -> Specials:
    def first(*ids: int | None) -> int:
        known = [number for number in ids if number is not None]
        if not known:
            raise ModelError(f"the tokenizer of {name} lacks a start, end or padding token; choose another encoder")
        return known[0]

    return Specials(
        bos=first(tokenizer.cls_token_id, tokenizer.bos_token_id),
        eos=first(tokenizer.sep_token_id, tokenizer.eos_token_id),
        pad=first(tokenizer.pad_token_id),
        mask=first(tokenizer.mask_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id),
    )


def put_adapter(model: Any, adapter: Mapping[str, np.ndarray]) -> None:
    """Puts an adapter into the weights of a torch encoder, by the same arithmetic as into the bundled one."""
    import torch

    from nlp.graph import merge

    names = {key.rpartition(".")[0] + ".weight" for key in adapter}
    state = model.state_dict()
    touched = {name: state[name].numpy() for name in names if name in state}
    with torch.no_grad():
        for name, values in merge(touched, adapter).items():
            state[name].copy_(torch.from_numpy(values))


def _key(name: str, adapter: Mapping[str, np.ndarray] | None, prefix: str | None) -> str:
    total = hashlib.sha256(f"{FORMAT} {name} {prefix}".encode())
    local = Path(name)
    if local.is_dir():
        for path in sorted(local.rglob("*")):
            stat = path.stat()
            total.update(f"{path.relative_to(local)} {stat.st_size} {stat.st_mtime_ns}".encode())
    for part in sorted(adapter or {}):
        total.update(part.encode() + np.ascontiguousarray(adapter[part]).tobytes())
    return total.hexdigest()[:20]
