package org.irnet.core;

/** One model, ready to run. One thread at a time; close it when done. */
public interface InferenceSession extends AutoCloseable {
  /**
   * Runs the model. Allocates nothing.
   *
   * @param rgb size x size x 3 bytes of the model's input size
   * @param logits one per label, written
   * @return nanoseconds: bytes scaled into the input, model run, outputs read
   */
  long run(byte[] rgb, float[] logits);

  /** Runtime and kernels that really run, e.g. {@code TFLite 2.16.1, lce_bconv_f32_7x8_neon}. */
  String engine();

  @Override
  void close();

  /** Opens sessions; the one place that knows runtimes. */
  interface Factory {
    /**
     * @param content of the model's file, verified
     * @throws RuntimeException the runtime refuses the model or a setting
     * @throws UnsatisfiedLinkError no library for this device's instruction set
     */
    InferenceSession open(ModelManifest.Model model, byte[] content, int threads);
  }
}
