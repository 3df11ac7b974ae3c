package org.irnet.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class LiveNumbersTest {
  private static final InferenceLoop.Selection FLOAT32 =
      new InferenceLoop.Selection(InferenceLoopTest.model(Build.FLOAT32), 1);
  private static final InferenceLoop.Selection ONE_BIT =
      new InferenceLoop.Selection(InferenceLoopTest.model(Build.ONE_BIT), 1);

  /** A frame may end after another build was chosen. */
  @Test
  void aLateResultOfAnotherBuildIsNotCounted() {
    LiveNumbers numbers = new LiveNumbers();
    numbers.clear(FLOAT32);
    numbers.add(FLOAT32, new float[] {1, 0, 0, 0}, 4_000_000);
    assertEquals(4.0, numbers.medianMs());
    numbers.clear(ONE_BIT);
    numbers.add(FLOAT32, new float[] {1, 0, 0, 0}, 4_000_000);
    assertFalse(numbers.hasResult());
    numbers.add(ONE_BIT, new float[] {0, 0, 5, 3}, 1_000_000);
    assertTrue(numbers.hasResult());
    assertEquals(2, numbers.classAt(0));
    assertEquals(3, numbers.classAt(1));
    assertEquals(1.0, numbers.p90Ms());
    assertEquals(0.0, numbers.framesPerSecond());  // of one result nothing is known
  }
}
