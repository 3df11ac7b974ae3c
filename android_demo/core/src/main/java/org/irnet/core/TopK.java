package org.irnet.core;

/**
 * The best classes of one output with their softmax. Reused for every frame; nothing is allocated
 * after construction.
 */
public final class TopK {
  private final int[] classes;
  private final float[] confidences;

  /**
   * @param count how many to keep
   */
  public TopK(int count) {
    classes = new int[count];
    confidences = new float[count];
  }

  /**
   * @param logits one per class, at least as many as are kept; not changed. Of equal ones the
   *     lower class comes first, as in NumPy's argmax
   */
  public void update(float[] logits) {
    double sum = 0;
    float largest = Float.NEGATIVE_INFINITY;
    for (float logit : logits) {
      largest = Math.max(largest, logit);
    }
    for (float logit : logits) {
      sum += Math.exp(logit - largest);
    }
    for (int rank = 0; rank < classes.length; rank++) {
      int best = -1;
      for (int i = 0; i < logits.length; i++) {
        if (!taken(i, rank) && (best < 0 || logits[i] > logits[best])) {
          best = i;
        }
      }
      classes[rank] = best;
      confidences[rank] = (float) (Math.exp(logits[best] - largest) / sum);
    }
  }

  /** Index of the class at {@code rank}, 0 for the best. */
  public int classAt(int rank) {
    return classes[rank];
  }

  /** Its softmax, 0 to 1. */
  public float confidenceAt(int rank) {
    return confidences[rank];
  }

  private boolean taken(int i, int rank) {
    for (int r = 0; r < rank; r++) {
      if (classes[r] == i) {
        return true;
      }
    }
    return false;
  }
}
