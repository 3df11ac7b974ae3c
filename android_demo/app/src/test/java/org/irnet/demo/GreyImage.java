package org.irnet.demo;

import android.graphics.ImageFormat;
import android.media.Image;
import java.nio.ByteBuffer;

/** A frame of the camera in plain grey. The methods without annotation are hidden in Android. */
final class GreyImage extends Image {
  private final Plane[] planes = {
    new GreyPlane(CameraSource.WIDTH, CameraSource.HEIGHT),
    new GreyPlane(CameraSource.WIDTH / 2, CameraSource.HEIGHT / 2),
    new GreyPlane(CameraSource.WIDTH / 2, CameraSource.HEIGHT / 2)
  };

  private static final class GreyPlane extends Plane {
    private final ByteBuffer bytes;
    private final int width;

    GreyPlane(int width, int height) {
      this.width = width;
      bytes = ByteBuffer.allocateDirect(width * height);
      for (int i = 0; i < width * height; i++) {
        bytes.put(i, (byte) 128);
      }
    }

    @Override
    public int getRowStride() {
      return width;
    }

    @Override
    public int getPixelStride() {
      return 1;
    }

    @Override
    public ByteBuffer getBuffer() {
      return bytes;
    }
  }

  @Override
  public int getFormat() {
    return ImageFormat.YUV_420_888;
  }

  @Override
  public int getWidth() {
    return CameraSource.WIDTH;
  }

  @Override
  public int getHeight() {
    return CameraSource.HEIGHT;
  }

  @Override
  public long getTimestamp() {
    return 0;
  }

  public int getTransform() {
    return 0;
  }

  public int getScalingMode() {
    return 0;
  }

  @Override
  public Plane[] getPlanes() {
    return planes;
  }

  @Override
  public void close() {}
}
