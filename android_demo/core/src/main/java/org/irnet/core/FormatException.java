package org.irnet.core;

/** A file that is not what it should be; the message names the place and what was expected. */
public final class FormatException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public FormatException(String message) {
    super(message);
  }
}
