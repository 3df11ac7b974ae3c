"""Options are checked in Python, and what the library reports arrives as one line."""

import lce_delegate
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter as LiteRT
from ai_edge_litert.interpreter import load_delegate
from lce_delegate._load import MAX_THREADS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_threads": -1}, "num_threads must be an integer from 0 .* to 32, got -1"),
        ({"num_threads": 33}, "num_threads must be an integer from 0 .* to 32, got 33"),
        ({"num_threads": 1.0}, "num_threads must be an integer .*, got 1.0"),
        ({"num_threads": True}, "num_threads must be an integer .*, got True"),
        ({"kernel": ""}, "kernel must be one of auto, .*scalar, got ''"),
        ({"kernel": "a\nb"}, "kernel must be one of auto, .*scalar, got 'a"),
        ({"kernel": None}, "kernel must be one of auto, .*scalar, got None"),
        ({"foo": 1}, "unknown option 'foo', accepted: num_threads, kernel, fusion, exactness, pro"),
        ({"num_threads": np.bool_(True)}, "num_threads must be an integer"),
        ({"fusion": 1}, "fusion must be True or False, got 1"),
        ({"profiling": "yes"}, "profiling must be True or False, got 'yes'"),
        ({"exactness": "exact"}, "exactness must be one of lce, keras, got 'exact'"),
        ({"exactness": []}, r"exactness must be one of lce, keras, got \[\]"),
    ],
)
def test_bad_options_are_named_with_what_is_accepted(options, message):
    with pytest.raises(lce_delegate.UsageError, match=message) as caught:
        lce_delegate.load(**options)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_unknown_kernel_sets_are_reported_by_the_library_in_one_line():
    supported = [s["name"] for s in lce_delegate.info()["kernel_sets"] if s["supported"]]
    with pytest.raises(lce_delegate.UsageError, match="unknown kernel set 'avx1024'") as caught:
        lce_delegate.load(kernel="avx1024")
    assert str(caught.value).endswith(", ".join(["accepted: auto", *supported]))
    assert "\n" not in str(caught.value)


def test_the_environment_chooses_the_kernel_set_where_the_option_is_auto(monkeypatch):
    monkeypatch.setenv("LCE_FORCE_KERNEL", "nope")
    with pytest.raises(lce_delegate.UsageError, match=r"LCE_FORCE_KERNEL.*'nope'"):
        lce_delegate.load()
    lce_delegate.load(kernel="scalar")
    monkeypatch.setenv("LCE_FORCE_KERNEL", "scalar")
    lce_delegate.load()


def test_integers_of_numpy_are_integers():
    lce_delegate.load(num_threads=np.int32(2))


def test_load_returns_what_the_runtime_takes(model_path, image):
    delegate = lce_delegate.load(num_threads=2, exactness="lce")
    interpreter = LiteRT(str(model_path), experimental_delegates=[delegate])
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert output.shape == (1, 10)
    assert np.isfinite(output).all()


def test_every_supported_kernel_set_and_no_fusion_give_the_same_bits(model_path, image):
    outputs = {}
    for kernel_set in lce_delegate.info()["kernel_sets"]:
        if not kernel_set["supported"]:
            continue
        for fusion in (True, False):
            interpreter = lce_delegate.Interpreter(
                model_path, kernel=kernel_set["name"], fusion=fusion
            )
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
            interpreter.invoke()
            index = interpreter.get_output_details()[0]["index"]
            outputs[kernel_set["name"], fusion] = interpreter.get_tensor(index)
    first = outputs["scalar", False]
    for key, output in outputs.items():
        np.testing.assert_array_equal(output, first, err_msg=str(key))


def test_python_and_the_library_have_the_same_limit_of_threads():
    lce_delegate.load(num_threads=MAX_THREADS)
    with pytest.raises(ValueError, match=f"to {MAX_THREADS}"):
        load_delegate(lce_delegate.library_path(), {"num_threads": MAX_THREADS + 1})
