"""msff-cnn."""

from fercli.models.table.fer_cnn import FER_CNN, INPUT, LOGGED_ON_BYTES
from fercli.models.table.schema import ModelSpec, Values, recipe

ROWS = (
    ModelSpec(
        name="msff-cnn",
        title="Three branches of different depth and a wide dense layer",
        architecture=(
            "Branches of one, two and three convolutions 3x3 with BN and pool (32, 64, 128 channels), enlarged to "
            "24x24 and stacked; dense 256 with BN; linear."
        ),
        builder="fercli.models.networks.msff_cnn:MsffCnn",
        paper=FER_CNN,
        input_size=48,
        channels=1,
        mean=(0.0,),
        std=(1.0,),
        input_notes=INPUT + LOGGED_ON_BYTES,
        cam_layer="fusion",
        parameters=33_368_135,
        parameters_per_class=257,
        macs=167_700_000,
        recipes={
            "default": recipe(
                code=Values(optimizer="adam", lr=1e-3, epochs=5, is_equalised=True, norm="bytes"),
                # Keras' default, which the notebook does not change.
                ours=Values(batch_size=32),
            )
        },
        notes=(
            "Keras counts 1,600 running means and variances too and prints 33,369,735.",
            "The log in its notebook shows .4998 validation accuracy on FER2013.",
        ),
        small_options={"width": 4, "hidden": 16},
        place=51,
    ),
)
