"""The road through tensorflow-datasets, on a small data set that tfds itself prepares."""

import pytest
import tensorflow_datasets as tfds

from kerasllm.data import DataConfig, load_dataset

TOPICS = ["weather", "food", "work"]
MOODS = ["sad", "glad"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")

    def generate(start, stop, hidden=False):
        for number in range(start, stop):
            label = -1 if hidden else number % 2
            yield number, {"sentence": f"wörld <br/>{number}", "label": label, "topics": sorted({0, number % 3})}

    with tfds.core.registered.skip_registration():  # so that only the files tell what it is

        class Moods(tfds.core.GeneratorBasedBuilder):
            VERSION = tfds.core.Version("1.0.0")
            pkg_dir_path = tfds.core.Path(folder)
            code_path = None  # there is none: a class of a test

            def _info(self):
                label = tfds.features.ClassLabel(names=MOODS)
                topics = tfds.features.Sequence(tfds.features.ClassLabel(names=TOPICS))
                features = {"sentence": tfds.features.Text(), "label": label, "topics": topics}
                return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

            def _split_generators(self, manager):
                return {"train": generate(0, 20), "validation": generate(20, 26), "test": generate(26, 30, hidden=True)}

            def _generate_examples(self):
                raise NotImplementedError

    tfds.disable_progress_bar()
    Moods(data_dir=folder).download_and_prepare()
    return folder


def test_a_prepared_set_is_read_offline(prepared):
    dataset = load_dataset(DataConfig(source="tfds:moods", tfds_folder=prepared))
    assert dataset.labels == ("sad", "glad")
    train = dataset.splits["train"]
    assert sorted(train.texts) == sorted(f"wörld {number}" for number in range(20))
    assert train.labels.tolist() == [int(text.split()[1]) % 2 for text in train.texts]
    assert len(dataset.splits["validation"]) == 6
    assert "test" not in dataset.splits
    assert "all -1" in dataset.notes[0]


def test_another_column_keeps_its_own_names(prepared):
    dataset = load_dataset(DataConfig(source="tfds:moods", tfds_folder=prepared, label_column="topics"))
    assert dataset.multi_label
    assert dataset.labels == ("weather", "food", "work")
    train = dataset.splits["train"]
    for text, labels in zip(train.texts, train.labels, strict=True):
        number = int(text.split()[1])
        assert labels.tolist() == [1, number % 3 == 1, number % 3 == 2]


def test_the_environment_names_the_folder(prepared, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    assert len(load_dataset(DataConfig(source="tfds:moods:1.0.0")).splits["train"]) == 20


@pytest.mark.parametrize("name", ["nowhere_to_be_found", "glue/sst2", "moods:9.9.9"])
def test_a_set_that_is_not_there_comes_with_the_cure(prepared, name):
    with pytest.raises(
        FileNotFoundError, match=rf"Received: '{name}'.*tfds build {name} --data_dir DIR.*TFDS_DATA_DIR"
    ):
        load_dataset(DataConfig(source=f"tfds:{name}", tfds_folder=prepared))
