"""The convenience interpreter: checks first, then everything the runtime's offers."""

import gc
import os

import lce_delegate
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter as LiteRT

# 16 binary convolutions of 32*32*16 outputs * 9*16 or as much work, two of half as much.
RESNET20_BINARY_MACS = 16 * 32 * 32 * 16 * 16 * 9 + 2 * 16 * 16 * 32 * 16 * 9


def predict(interpreter, image):
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_it_gives_what_the_runtime_with_the_delegate_gives(model_path, image):
    plain = LiteRT(str(model_path), experimental_delegates=[lce_delegate.load()])
    plain.allocate_tensors()
    ours = lce_delegate.Interpreter(model_path, num_threads=2)
    np.testing.assert_array_equal(predict(ours, image), predict(plain, image))


def test_a_larger_batch_is_the_same_images(model_path, rng):
    images = rng.standard_normal((3, 32, 32, 3)).astype(np.float32)
    one = lce_delegate.Interpreter(model_path)
    single = [predict(one, image[None]) for image in images]
    one.resize_tensor_input(one.get_input_details()[0]["index"], images.shape)
    one.allocate_tensors()
    # XNNPACK's float operators may round differently for another batch.
    np.testing.assert_allclose(predict(one, images), np.concatenate(single), atol=1e-4)


def test_input_shapes_are_set_before_anything_is_allocated(free_size):
    path, image, expected = free_size
    with pytest.raises(lce_delegate.RunError, match="a window of height 3 does not fit"):
        lce_delegate.Interpreter(path)
    interpreter = lce_delegate.Interpreter(path, input_shapes={0: image.shape})
    np.testing.assert_array_equal(predict(interpreter, image), expected)
    name = interpreter.get_input_details()[0]["name"]
    for shapes in ({name: list(image.shape)}, {np.int64(0): np.array(image.shape)}):
        again = lce_delegate.Interpreter(path, input_shapes=shapes)
        np.testing.assert_array_equal(predict(again, image), expected)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([1], r"input_shapes must be a dictionary of input name or index to shape, got \[1\]"),
        ({"x": (1, 2)}, r"input_shapes: no input 'x', accepted: '.+' \(0\)"),
        ({7: (1, 2)}, r"input_shapes: no input 7, accepted: '.+' \(0\)"),
        ({0: (1, 12)}, r"the shape of 0 must be 4 positive integers, got \(1, 12\)"),
        ({0: (1, 12, 0, 3)}, "the shape of 0 must be 4 positive integers"),
        ({0: (1, 12, 1.5, 3)}, "the shape of 0 must be 4 positive integers"),
        ({0: (1, 12, 2**31, 3)}, "the shape of 0 must be 4 positive integers"),
        ({0: "1234"}, "the shape of 0 must be 4 positive integers, got '1234'"),
        ({0: 5}, "the shape of 0 must be 4 positive integers, got 5"),
    ],
)
def test_bad_input_shapes_are_one_line(free_size, shapes, message):
    with pytest.raises(lce_delegate.UsageError, match=message) as caught:
        lce_delegate.Interpreter(free_size[0], input_shapes=shapes)
    assert "\n" not in str(caught.value)


def test_shapes_that_the_runtime_refuses_are_run_errors(free_size):
    with pytest.raises(lce_delegate.RunError, match="the runtime refuses the model: "):
        lce_delegate.Interpreter(free_size[0], input_shapes={0: (2**31 - 1,) * 4})


def test_integers_of_numpy_are_integers(model_path):
    lce_delegate.Interpreter(model_path, num_threads=np.int64(2))


def test_profile_counts_every_binary_operation_once(model_path, image):
    interpreter = lce_delegate.Interpreter(model_path, profiling=True)
    for _ in range(3):
        predict(interpreter, image)
    rows = interpreter.profile()
    assert sum(row["binary_macs"] for row in rows) == RESNET20_BINARY_MACS
    assert {row["calls"] for row in rows} == {3}
    for row in rows:
        assert 0 < row["min_ns"] <= row["total_ns"] / 3
        assert row["output_shape"][0] == 1
    assert rows == lce_delegate.profile(interpreter.delegate)
    interpreter.reset_profile()
    assert {(row["calls"], row["total_ns"]) for row in interpreter.profile()} == {(0, 0)}


def test_without_profiling_all_times_are_zero(model_path, image):
    interpreter = lce_delegate.Interpreter(model_path)
    predict(interpreter, image)
    assert {row["total_ns"] for row in interpreter.profile()} == {0}


@pytest.mark.parametrize("what", [None, object(), 5, "delegate"])
def test_profile_wants_a_delegate(what):
    with pytest.raises(lce_delegate.UsageError, match=r"must be what lce_delegate.load\(\) return"):
        lce_delegate.profile(what)


class Foreign:
    """A delegate of another library; its memory is not ours."""

    def __init__(self):
        self._memory = np.zeros(1000)

    def _get_native_delegate_pointer(self):
        return self._memory.ctypes.data


@pytest.mark.parametrize("function", [lce_delegate.profile, lce_delegate.reset_profile])
def test_profile_wants_a_delegate_of_this_library(function):
    with pytest.raises(lce_delegate.UsageError, match="got the delegate of another library"):
        function(Foreign())


def test_two_interpreters_share_a_delegate_and_end_in_any_order(model_path, image):
    delegate = lce_delegate.load()
    first = LiteRT(str(model_path), experimental_delegates=[delegate])
    second = LiteRT(str(model_path), experimental_delegates=[delegate])
    first.allocate_tensors()
    second.allocate_tensors()
    expected = predict(first, image)
    del first, delegate
    gc.collect()
    np.testing.assert_array_equal(predict(second, image), expected)


@pytest.mark.parametrize("threads", [0, -1, 33, 1.5, "2", True])
def test_num_threads_is_checked(model_path, threads):
    with pytest.raises(lce_delegate.UsageError, match="num_threads must be an integer from 1 to"):
        lce_delegate.Interpreter(model_path, num_threads=threads)


def test_unknown_options_are_named(model_path):
    with pytest.raises(lce_delegate.UsageError, match="unknown option 'kernels', accepted: kernel"):
        lce_delegate.Interpreter(model_path, kernels="auto")


def test_unknown_attributes_are_attribute_errors(model_path):
    interpreter = lce_delegate.Interpreter(model_path)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = interpreter.nonsense
    with pytest.raises(AttributeError, match="_hidden"):
        _ = interpreter._hidden


def test_unreadable_files_are_one_line(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_text("hello, this is text")
    (tmp_path / "empty").touch()
    for path, message in [
        (tmp_path / "missing", "cannot read .*missing: No such file"),
        (tmp_path, "cannot read .*: not a regular file"),
        (tmp_path / "pipe", "cannot read .*pipe: not a regular file"),
        (tmp_path / "text", "text: not a .tflite file: 19 bytes, no TFL3 identifier"),
        (tmp_path / "empty", "empty: not a .tflite file: 0 bytes, it is empty"),
        ("a\0b", "path must be the path of a .tflite file"),
        (None, "path must be the path of a .tflite file, got None"),
    ]:
        with pytest.raises(lce_delegate.UsageError, match=message) as caught:
            lce_delegate.Interpreter(path)
        assert "\n" not in str(caught.value)
