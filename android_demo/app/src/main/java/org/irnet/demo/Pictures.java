package org.irnet.demo;

import android.content.ContentResolver;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.graphics.Matrix;
import android.media.ExifInterface;
import android.net.Uri;
import java.io.IOException;
import java.io.InputStream;
import org.irnet.core.PictureConverter;

/** Reads pictures that other apps provide. */
final class Pictures {
  private Pictures() {}

  /**
   * Small enough for the screen, upright, in pixels that can be read. May wait for the provider.
   *
   * @throws IOException whatever is wrong with the picture or its provider
   */
  static Bitmap read(ContentResolver resolver, Uri uri) throws IOException {
    try {
      return decode(resolver, uri);
    } catch (RuntimeException | OutOfMemoryError e) {  // a provider may throw anything
      throw new IOException(e);
    }
  }

  private static Bitmap decode(ContentResolver resolver, Uri uri) throws IOException {
    BitmapFactory.Options options = new BitmapFactory.Options();
    options.inJustDecodeBounds = true;
    try (InputStream in = open(resolver, uri)) {
      BitmapFactory.decodeStream(in, null, options);
    }
    options.inSampleSize = PictureConverter.sampleSize(options.outWidth, options.outHeight);
    options.inJustDecodeBounds = false;
    Bitmap decoded;
    try (InputStream in = open(resolver, uri)) {
      decoded = BitmapFactory.decodeStream(in, null, options);
    }
    if (decoded == null) {
      throw new IOException("not a picture");
    }
    Matrix turn = turn(orientation(resolver, uri));
    return Bitmap.createBitmap(
        decoded, 0, 0, decoded.getWidth(), decoded.getHeight(), turn, false);
  }

  private static int orientation(ContentResolver resolver, Uri uri) {
    int upright = ExifInterface.ORIENTATION_NORMAL;
    try (InputStream in = open(resolver, uri)) {
      return new ExifInterface(in).getAttributeInt(ExifInterface.TAG_ORIENTATION, upright);
    } catch (IOException | RuntimeException e) {  // damaged Exif data; the pixels are fine
      return upright;
    }
  }

  private static InputStream open(ContentResolver resolver, Uri uri) throws IOException {
    InputStream in = resolver.openInputStream(uri);
    if (in == null) {
      throw new IOException("no content");
    }
    return in;
  }

  /** What makes a picture of an Exif orientation upright. */
  private static Matrix turn(int orientation) {
    Matrix matrix = new Matrix();
    switch (orientation) {
      case ExifInterface.ORIENTATION_FLIP_HORIZONTAL -> matrix.setScale(-1, 1);
      case ExifInterface.ORIENTATION_ROTATE_180 -> matrix.setRotate(180);
      case ExifInterface.ORIENTATION_FLIP_VERTICAL -> matrix.setScale(1, -1);
      case ExifInterface.ORIENTATION_TRANSPOSE -> {
        matrix.setRotate(90);
        matrix.postScale(-1, 1);
      }
      case ExifInterface.ORIENTATION_ROTATE_90 -> matrix.setRotate(90);
      case ExifInterface.ORIENTATION_TRANSVERSE -> {
        matrix.setRotate(-90);
        matrix.postScale(-1, 1);
      }
      case ExifInterface.ORIENTATION_ROTATE_270 -> matrix.setRotate(-90);
      default -> {}
    }
    return matrix;
  }
}
