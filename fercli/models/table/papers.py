"""What was published of each network: where, what accuracy, what size; standard library only."""

from fercli.models.table.schema import Paper, ThopCounts

FER_CNN = Paper(
    title="Facial-Expression-Recognition-CNN",
    authors="Mersen130",
    venue="GitHub repository with a notebook; no publication",
    url="https://github.com/Mersen130/Facial-Expression-Recognition-CNN",
)
OURS = Paper("fercli-compact, a network of this package", "the authors of fercli", "this package; no publication")
MOBILENET = Paper(
    "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
    "Howard et al.",
    "arXiv 1704.04861",
    2017,
    url="https://arxiv.org/abs/1704.04861",
)
EMONEXT = Paper("EmoNeXt: an Adapted ConvNeXt for Facial Emotion Recognition", "El Boudouri and Bohi", "MMSP", 2023)
SFER_MDFAE = Paper(
    "A Student Facial Expression Recognition Model Based on Multi-Scale and Deep Fine-Grained Feature Attention "
    "Enhancement (SFER-MDFAE)",
    "Shou et al.",
    "Sensors 24, 6748",
    2024,
    doi="10.3390/s24206748",
)
SFERNET = Paper(
    "SFERNet: Student Facial Expression Recognition using Superpixel-Assisted Global Semantic Enhancement and "
    "Fine-Grained Features",
    "",
    "README and figures of the SFERD project; no publication found",
)
EAC = Paper(
    "Learn From All: Erasing Attention Consistency for Noisy Label Facial Expression Recognition (EAC)",
    "Zhang et al.",
    "ECCV",
    2022,
)
DDAMFN = Paper(
    "A Dual-Direction Attention Mixed Feature Network for Facial Expression Recognition",
    "Zhang et al.",
    "Electronics",
    2023,
)
POSTER = Paper(
    "POSTER: a Pyramid Cross-Fusion Transformer Network for Facial Expression Recognition",
    "Zheng, Mendieta and Chen",
    "ICCV Workshops",
    2023,
)
POSTER_PP = Paper(
    "POSTER++: A simpler and stronger facial expression recognition network",
    "Mao et al.",
    "arXiv 2301.12149",
    2023,
    url="https://arxiv.org/abs/2301.12149",
)

# Accuracies in percent, Table 3 of the SFER-MDFAE paper; scfed is its test split.
_TABLE3_SETS = ("fer2013", "ferplus", "raf-db", "affectnet7", "scfed")
_TABLE3_ROWS = {
    "eac": (72.78, 89.98, 90.16, 64.74, 92.03),
    "emonext-base": (73.78, 90.23, 87.25, 65.54, 92.42),
    "ddamfn": (72.03, 90.45, 90.97, 66.72, 93.00),
    "poster": (74.87, 91.55, 92.14, 67.23, 93.25),
    "poster-pp": (74.73, 91.92, 92.17, 67.34, 93.11),
    "sfer-mdfae": (76.18, 92.75, 92.93, 67.86, 93.74),
}
TABLE3 = {name: dict(zip(_TABLE3_SETS, row, strict=True)) for name, row in _TABLE3_ROWS.items()}

# Table 4 of the same paper as printed, with the exact counts of thop on the authors' code; the other sizes of EmoNeXt
# are not in the paper and were counted the same way.
TABLE4 = {
    "eac": ThopCounts(3_898_290_176, 23_522_375, num_classes=7, input_size=224, printed="3.898 G / 23.522 M"),
    "emonext-tiny": ThopCounts(4_537_700_000, 30_542_900, num_classes=7, input_size=224),
    "emonext-small": ThopCounts(8_765_900_000, 52_156_700, num_classes=7, input_size=224),
    "emonext-base": ThopCounts(
        15_438_156_056, 91_708_042, num_classes=6, input_size=224, printed="15.438 G / 91.708 M"
    ),
    "emonext-large": ThopCounts(34_448_700_000, 204_498_200, num_classes=7, input_size=224),
    "ddamfn": ThopCounts(563_549_088, 4_105_999, num_classes=7, input_size=112, printed="0.564 G / 4.106 M"),
    "poster": ThopCounts(7_895_148_064, 58_976_158, num_classes=6, input_size=224, printed="7.895 G / 58.976 M"),
    "poster-pp": ThopCounts(8_482_266_176, 43_723_542, num_classes=6, input_size=224, printed="8.482 G / 43.724 M"),
    "sfer-mdfae": ThopCounts(6_361_792_460, 31_975_414, num_classes=6, input_size=224, printed="6.362 G / 31.975 M"),
}
