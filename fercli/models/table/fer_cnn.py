"""What the three networks of one notebook share: where it is, what it feeds them, how it prepares images."""

from fercli.models.table.schema import Paper

FER_CNN = Paper(
    title="Facial-Expression-Recognition-CNN",
    authors="Mersen130",
    venue="GitHub repository with a notebook; no publication",
    url="https://github.com/Mersen130/Facial-Expression-Recognition-CNN",
)
INPUT = "Pixels divided by 255, after min-max stretch and histogram equalisation; images of variance below 10 dropped."
