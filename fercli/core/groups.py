"""Name the columns by which faces can be grouped without anything that a user attaches."""

# Of the faces themselves, and how a table calls what they measure.
FACE_COLUMNS: dict[str, str] = {
    "face-size": "longer side of the face's box, in pixels of the frame",
    "blur": "blur of the crop, from 0 (sharp) to 1",
    "yaw": "how far the face is turned aside, from 0 (frontal) to 1 (nose at an eye), by its landmarks",
    "brightness": "mean grey level of the crop, from 0 to 255",
    "agreement": "share of annotators who chose the label",
}
SUBJECT = "subject"
BUILT_IN_COLUMNS = (SUBJECT, "video", "session", *FACE_COLUMNS)
# `--by all`: every column that has values.
ALL_COLUMNS = "all"
