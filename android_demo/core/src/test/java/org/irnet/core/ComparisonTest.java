package org.irnet.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ComparisonTest {
  private static Comparison comparison() {
    double[][] samples = new double[2][30];
    for (int i = 0; i < 30; i++) {
      samples[0][i] = 4 + i / 16.0;
      samples[1][i] = 1 + i / 32.0;
    }
    return new Comparison(
        List.of(
            new InferenceLoop.Selection(InferenceLoopTest.model(Build.FLOAT32), 2),
            new InferenceLoop.Selection(InferenceLoopTest.model(Build.ONE_BIT), 2)),
        List.of("TFLite 2.16.1", "TFLite 2.16.1, lce_bconv_f32_7x8_neon"),
        samples,
        10,
        7);
  }

  private static Comparison.Device device() {
    return new Comparison.Device(
        "Maker \"Phone\"", "Android 15 (API 35)", "aarch64", "soc", 8, null,
        Map.of("tflite", "2.16.1"), "2026-01-02T03:04:05Z");
  }

  /** The file is read by {@code tests/edge_bench/test_android_result.py}, too. */
  @Test
  void jsonIsTheOneThatPythonReads() throws IOException {
    try (InputStream in = ComparisonTest.class.getResourceAsStream("/comparison.json")) {
      String expected = new String(in.readAllBytes(), StandardCharsets.UTF_8).trim();
      assertEquals(expected, comparison().toJson(device()));
    }
  }

  @Test
  void ratioLiesInItsInterval() {
    Statistics.Interval ratio = comparison().ratio(1);
    assertEquals(1.453125 / 4.90625, ratio.value());
    assertTrue(ratio.low() < ratio.value() && ratio.value() < ratio.high());
    assertTrue(ratio.high() - ratio.low() < 0.2);
  }
}
