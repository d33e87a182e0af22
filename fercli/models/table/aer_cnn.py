"""aer-cnn."""

from fercli.models.table.fer_cnn import FER_CNN, INPUT, LOGGED_ON_BYTES
from fercli.models.table.schema import ModelSpec, Values, recipe

ROWS = (
    ModelSpec(
        name="aer-cnn",
        title="A very small CNN whose maps gate themselves",
        architecture=(
            "Convolution 3x3 to 32, pool, sigmoid gate of a 1x1; convolution 3x3 to 64, pool, gate; mean; linear."
        ),
        builder="fercli.models.networks.aer_cnn:AerCnn",
        paper=FER_CNN,
        input_size=48,
        channels=1,
        mean=(0.0,),
        std=(1.0,),
        input_notes=INPUT + LOGGED_ON_BYTES,
        cam_layer="gate2",
        parameters=24_487,
        parameters_per_class=65,
        macs=12_500_000,
        recipes={
            "default": recipe(
                code=Values(optimizer="adam", lr=1e-3, batch_size=32, epochs=25, is_equalised=True, norm="bytes")
            )
        },
        notes=("The log in its notebook shows .457 validation accuracy on FER2013.",),
        small_options={"width": 8},
        place=50,
    ),
)
