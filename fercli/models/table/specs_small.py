"""Rows of the table of networks: those fed grey faces of 48 pixels; no torch."""

from fercli.models.table import papers, recipes
from fercli.models.table.schema import ModelSpec

_FER_CNN_INPUT = (
    "Pixels divided by 255, after min-max stretch and histogram equalisation; pictures of variance below 10 dropped."
)

SMALL_ROWS = (
    ModelSpec(
        name="aer-cnn",
        title="A very small CNN whose maps gate themselves",
        architecture=(
            "Convolution 3x3 to 32, pool, sigmoid gate of a 1x1; convolution 3x3 to 64, pool, gate; mean; linear."
        ),
        builder="fercli.models.networks.aer_cnn:AerCnn",
        paper=papers.FER_CNN,
        input_size=48,
        channels=1,
        mean=(0.0,),
        std=(1.0,),
        input_notes=_FER_CNN_INPUT,
        cam_layer="gate2",
        parameters=24_487,
        parameters_per_class=65,
        recipes=recipes.AER_CNN,
        notes=("The log in its notebook shows .457 validation accuracy on FER2013.",),
    ),
    ModelSpec(
        name="msff-cnn",
        title="Three branches of different depth and a wide dense layer",
        architecture=(
            "Branches of one, two and three convolutions 3x3 with BN and pool (32, 64, 128 channels), enlarged to "
            "24x24 and stacked; dense 256 with BN; linear."
        ),
        builder="fercli.models.networks.msff_cnn:MsffCnn",
        paper=papers.FER_CNN,
        input_size=48,
        channels=1,
        mean=(0.0,),
        std=(1.0,),
        input_notes=_FER_CNN_INPUT,
        cam_layer="fusion",
        parameters=33_368_135,
        parameters_per_class=257,
        recipes=recipes.MSFF_CNN,
        notes=(
            "Keras counts 1,600 running means and variances too and prints 33,369,735.",
            "The log in its notebook shows .4998 validation accuracy on FER2013.",
        ),
    ),
    ModelSpec(
        name="drf-msam",
        title="Different receptive fields and multi-scale attention, a small CNN",
        architecture=(
            "Sum of 3x3, 5x5 and 7x7 convolutions to 32; twice pool and multi-scale attention (sum of 1x1, 3x3, "
            "5x5, channels weighed by a gate); pool; mean; dense 512; linear."
        ),
        builder="fercli.models.networks.drf_msam:DrfMsam",
        paper=papers.FER_CNN,
        input_size=48,
        channels=1,
        mean=(0.0,),
        std=(1.0,),
        input_notes=_FER_CNN_INPUT,
        cam_layer="attention2",
        parameters=97_223,
        parameters_per_class=513,
        recipes=recipes.DRF_MSAM,
        notes=("Its README claims .59 validation accuracy on FER2013; the log in its notebook shows .5010.",),
    ),
    ModelSpec(
        name="fercli-compact",
        title="This package's own: residual blocks sized for a CPU",
        architecture=(
            "Convolution 3x3 to 32 with BN; three stages of two residual blocks (64, 128, 256 channels), each stage "
            "halving the map; mean; dropout; linear."
        ),
        builder="fercli.models.networks.compact:FerCompact",
        paper=papers.OURS,
        input_size=48,
        channels=1,
        mean=(0.5,),
        std=(0.25,),
        input_notes="Sides divisible by 8.",
        cam_layer="maps",
        parameters=2_759_143,
        parameters_per_class=257,
        objective="branches",
        recipes=recipes.FERCLI_COMPACT,
        notes=("Not a paper's network: it stands beside the published ones, never in place of one.",),
        is_ours=True,
    ),
)
