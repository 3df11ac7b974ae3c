package org.irnet.demo.session;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.ZipFile;

/** Reads one array of bytes from NumPy's archive. */
public final class Npz {
  private Npz() {}

  public static byte[] bytes(Path archive, String name) throws IOException {
    try (ZipFile zip = new ZipFile(archive.toFile())) {
      byte[] npy = zip.getInputStream(zip.getEntry(name + ".npy")).readAllBytes();
      int header = npy[8] & 255 | (npy[9] & 255) << 8;
      String text = new String(npy, 10, header, StandardCharsets.US_ASCII);
      if (npy[6] != 1 || !text.contains("'|u1'") || !text.contains("'fortran_order': False")) {
        throw new IOException(archive + ", " + name + ": expected version 1, uint8, C order");
      }
      return Arrays.copyOfRange(npy, 10 + header, npy.length);
    }
  }
}
