"""From settings to a pipeline, for the command line and the service alike."""

from pathlib import Path

from nlp.artifact import load_pipeline
from nlp.folder import load_model
from nlp.pipeline import Pipeline
from nlp.taxonomy import Taxonomy
from serving.memory import give_back
from serving.settings import Settings


def model_frame(settings: Settings) -> Taxonomy:
    """The code frame of the model that the settings name, without loading the model."""
    return load_model(settings.model_dir).taxonomy


def open_pipeline(settings: Settings, taxonomy: Path | None = None) -> Pipeline:
    """The pipeline of the model folder in use, tagging by a code frame of the user's own if given."""
    pipeline = load_pipeline(
        settings.model_dir,
        settings.data_dir,
        settings.cache_dir,
        precision=settings.precision,
        threads=settings.threads,
        encoder=settings.encoder,
        taxonomy=taxonomy,
    )
    give_back()  # reading the weights and the vocabulary takes twice what they take in the end
    return pipeline
