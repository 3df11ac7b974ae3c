package org.irnet.core;

/** The three files of one network. */
public enum Build {
  ONE_BIT("1-bit"),
  FLOAT32("float32"),
  INT8("int8");

  private final String title;

  Build(String title) {
    this.title = title;
  }

  /** As manifest, screen and results spell it. */
  public String title() {
    return title;
  }

  /** Whether its file needs the Larq operators of the delegate. */
  public boolean needsDelegate() {
    return this == ONE_BIT;
  }

  /**
   * @throws IllegalArgumentException none of the titles
   */
  public static Build of(String title) {
    for (Build build : values()) {
      if (build.title.equals(title)) {
        return build;
      }
    }
    throw new IllegalArgumentException("no build is called " + title);
  }
}
