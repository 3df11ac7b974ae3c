"""Callbacks of training: EDE schedule, NaN stop, dead filters."""

import larq as lq
import numpy as np
import pytest
import tensorflow as tf

from irnet_keras import EDEScheduler, EDESign, LibraPB, ede_t
from irnet_keras.errors import CheckFailed
from irnet_keras.training.callbacks import (
    ReportDeadFilters,
    StopOnNaN,
    find_dead_filters,
    find_quantizers,
)

layers = tf.keras.layers


def inner() -> tf.keras.Model:
    return tf.keras.Sequential(
        [
            layers.Input((6,)),
            lq.layers.QuantDense(5, input_quantizer="ede_sign", kernel_quantizer="libra_pb"),
        ]
    )


def nested() -> tf.keras.Model:
    x = inputs = layers.Input((6,))
    x = tf.keras.Sequential([inner(), layers.Dense(6)])(x)
    x = layers.Activation(EDESign())(x)
    x = lq.layers.QuantDense(3, kernel_quantizer=LibraPB())(x)
    model = tf.keras.Model(inputs, x)
    model.compile(tf.keras.optimizers.SGD(0.01), "mse", jit_compile=False)
    return model


class Record(tf.keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.values = []

    def on_train_batch_end(self, batch, logs=None):
        self.values.append([float(q.t) for q in find_quantizers(self.model)])


def fit(model, rng, scheduler, epochs=3, initial_epoch=0, steps=4):
    record = Record()
    x, y = rng.normal(size=(4 * steps, 6)), rng.normal(size=(4 * steps, 3))
    history = model.fit(
        x,
        y,
        batch_size=4,
        epochs=epochs,
        initial_epoch=initial_epoch,
        verbose=0,
        callbacks=[scheduler, record],
    )
    return record.values, history


def test_finds_every_quantizer_of_nested_models_once():
    assert len(find_quantizers(nested())) == 4


def test_sets_t_per_step_reaching_both_ends_exactly(rng):
    values, history = fit(nested(), rng, EDEScheduler(0.25, 8.0), epochs=3, steps=4)
    expected = [np.float32(ede_t(i / 11, 0.25, 8.0)) for i in range(12)]
    assert values == [[e] * 4 for e in expected]
    assert (values[0][0], values[-1][0]) == (0.25, 8.0)
    assert history.history["ede_t"][-1] == 8.0


def test_sets_t_per_epoch(rng):
    values, _ = fit(nested(), rng, EDEScheduler(0.25, 4.0, update="epoch"), epochs=3, steps=2)
    assert [v[0] for v in values] == [0.25, 0.25, 1.0, 1.0, 4.0, 4.0]


@pytest.mark.parametrize("update", ["step", "epoch"])
def test_continues_exactly_after_a_resume(rng, update):
    whole, _ = fit(nested(), rng, EDEScheduler(update=update), epochs=4)
    model = nested()
    first, _ = fit(model, rng, EDEScheduler(update=update, total_epochs=4), epochs=2)
    second, _ = fit(model, rng, EDEScheduler(update=update), epochs=4, initial_epoch=2)
    assert first + second == whole


def test_model_without_quantizers_is_refused(rng):
    model = tf.keras.Sequential([layers.Input((6,)), layers.Dense(3)])
    model.compile("sgd", "mse", jit_compile=False)
    with pytest.raises(ValueError, match="holds no EDE quantizer"):
        fit(model, rng, EDEScheduler())


@pytest.mark.parametrize("arguments", [{"update": "batch"}, {"t_min": 0.0}, {"t_min": 20.0}])
def test_bad_schedule_is_refused(arguments):
    with pytest.raises(ValueError, match=r"update must be|need 0 < t_min"):
        EDEScheduler(**arguments)


def test_nan_loss_stops_naming_the_step(rng):
    model = nested()
    x, y = rng.normal(size=(16, 6)), rng.normal(size=(16, 3))
    y[9] = np.nan  # third step of the first epoch
    with pytest.raises(CheckFailed, match=r"loss is nan at step 3 \(epoch 1\)"):
        model.fit(x, y, batch_size=4, shuffle=False, verbose=0, callbacks=[StopOnNaN()])


def test_dead_filters_are_reported_by_layer_and_index():
    model = inner()
    kernel = model.layers[0].kernel.latent_variable
    values = kernel.numpy()
    values[:, 3] = 0.5
    kernel.assign(values)
    assert find_dead_filters(model) == [(model.layers[0].name, [3])]
    lines, logs = [], {}
    callback = ReportDeadFilters(lines.append)
    callback.set_model(model)
    callback.on_epoch_end(0, logs)
    assert logs == {"dead_filters": 1.0}
    assert "constant filters [3]" in lines[0]
