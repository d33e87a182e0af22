from fercli.core.emotions import NO_CLASS, PRESETS, SPELLINGS, built_in_aliases


def test_other_spelling_means_the_class_that_is_there() -> None:
    assert built_in_aliases(PRESETS["fer2013"])["happiness"] == "happy"
    assert built_in_aliases(PRESETS["ferplus"])["happy"] == "happiness"


def test_spelling_between_two_classes_means_neither() -> None:
    aliases = built_in_aliases(("happy", "joy", "sad"))
    assert "happiness" not in aliases
    assert aliases["sadness"] == "sad"


def test_class_is_no_alias_and_no_word_for_nothing() -> None:
    for classes in PRESETS.values():
        assert not set(built_in_aliases(classes)) & set(classes)
        assert not set(classes) & set(NO_CLASS)
        assert len(set(classes)) == len(classes)


def test_word_is_a_spelling_of_one_emotion_only() -> None:
    words = [word for spellings in SPELLINGS for word in spellings]
    assert len(words) == len(set(words))


def test_presets_have_the_published_numbers_of_classes() -> None:
    published = {"scfed": 6, "sferd": 5, "fer2013": 7, "ferplus": 8, "raf-db": 7, "affectnet7": 7, "affectnet8": 8}
    assert {name: len(classes) for name, classes in PRESETS.items()} == published
