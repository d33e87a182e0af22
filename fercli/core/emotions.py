"""Class sets of the field's datasets, in their published order, and the spellings they go by."""

PRESETS: dict[str, tuple[str, ...]] = {
    "scfed": ("happy", "dedicated", "neutral", "confused", "tired", "bored"),
    "sferd": ("calm", "confused", "jolly", "sleepy", "surprised"),
    "fer2013": ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
    "ferplus": ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    "raf-db": ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"),
    "affectnet7": ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger"),
    "affectnet8": ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"),
}

# Spellings of one emotion; a word is taken as its neighbour only when exactly one of them is in the project's set.
SPELLINGS: tuple[frozenset[str], ...] = (
    frozenset({"happy", "happiness", "joy"}),
    frozenset({"sad", "sadness"}),
    frozenset({"angry", "anger"}),
    frozenset({"surprise", "surprised"}),
    frozenset({"fear", "fearful", "afraid"}),
    frozenset({"disgust", "disgusted"}),
    frozenset({"neutral", "none"}),
    frozenset({"contempt", "contemptuous"}),
)

UNKNOWN = "unknown"
# FERPlus' word for a picture without a face; a vote like `unknown`, never a class.
NOT_A_FACE = "nf"
NO_CLASS = (UNKNOWN, NOT_A_FACE)


def built_in_aliases(classes: tuple[str, ...]) -> dict[str, str]:
    """Other spellings of the classes of one project, each with the class it means."""
    aliases = {}
    for spellings in SPELLINGS:
        known = [word for word in classes if word in spellings]
        if len(known) == 1:
            aliases.update(dict.fromkeys(sorted(spellings - {known[0]}), known[0]))
    return aliases
