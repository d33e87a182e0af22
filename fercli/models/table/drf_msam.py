"""drf-msam."""

from fercli.models.table.fer_cnn import FER_CNN, INPUT
from fercli.models.table.schema import ModelSpec, Values, recipe

ROWS = (
    ModelSpec(
        name="drf-msam",
        title="Different receptive fields and multi-scale attention, a small CNN",
        architecture=(
            "Sum of 3x3, 5x5 and 7x7 convolutions to 32; twice pool and multi-scale attention (a gate made of the sum "
            "of 1x1, 3x3, 5x5 weighs the channels); pool; mean; dense 512; linear."
        ),
        builder="fercli.models.networks.drf_msam:DrfMsam",
        paper=FER_CNN,
        input_size=48,
        channels=1,
        mean=(0.0,),
        std=(1.0,),
        input_notes=INPUT,
        cam_layer="attention2",
        parameters=97_223,
        parameters_per_class=513,
        macs=32_700_000,
        recipes={
            "default": recipe(
                code=Values(optimizer="adam", lr=2e-3, epochs=100, is_equalised=True),
                # Keras' default, which the notebook does not change.
                ours=Values(batch_size=32),
            )
        },
        notes=("Its README claims 59% validation accuracy on FER2013; the log in its notebook shows 50.1%.",),
        small_options={"width": 8, "hidden": 16},
        place=52,
    ),
)
