"""From settings to a pipeline, for the command line and the service alike."""

from pathlib import Path

from nlp.artifact import load_pipeline
from nlp.pipeline import Pipeline
from serving.settings import Settings


def open_pipeline(settings: Settings, taxonomy: Path | None = None) -> Pipeline:
    """The pipeline of the model folder in use, tagging by a code frame of the user's own if given."""
    return load_pipeline(
        settings.model_dir,
        settings.data_dir,
        settings.cache_dir,
        precision=settings.precision,
        threads=settings.threads,
        encoder=settings.encoder,
        taxonomy=taxonomy,
    )
