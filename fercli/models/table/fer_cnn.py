"""What the three networks of one notebook share: where it is, what it feeds them, how it prepares images."""

from fercli.models.table.schema import Paper

FER_CNN = Paper(
    title="Facial-Expression-Recognition-CNN",
    authors="Mersen130",
    venue="GitHub repository with a notebook; no publication",
    url="https://github.com/Mersen130/Facial-Expression-Recognition-CNN",
)
INPUT = (
    "Pixels divided by 255, after min-max stretch and histogram equalisation; images whose variance is then below 10 "
    "are dropped."
)
# The notebook splits its data again after it has divided them, and then trains on the undivided ones.
LOGGED_ON_BYTES = " The log was made on values of 0 to 255, which the paper's recipe feeds."
