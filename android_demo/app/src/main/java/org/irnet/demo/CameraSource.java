package org.irnet.demo;

import android.Manifest;
import android.annotation.SuppressLint;
import android.content.Context;
import android.graphics.ImageFormat;
import android.graphics.SurfaceTexture;
import android.hardware.camera2.CameraAccessException;
import android.hardware.camera2.CameraCaptureSession;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraDevice;
import android.hardware.camera2.CameraManager;
import android.hardware.camera2.CaptureRequest;
import android.media.Image;
import android.media.ImageReader;
import android.os.Handler;
import android.os.HandlerThread;
import android.view.Surface;
import java.util.Arrays;
import org.irnet.core.ui.ScreenState.CameraFault;

/**
 * Frames of the back camera (or the only one) in 640x480: to a preview and, one at a time, to a
 * listener. All callbacks come from its own thread. Opened once; after {@link #close} make another.
 */
final class CameraSource implements AutoCloseable {
  static final int WIDTH = 640;
  static final int HEIGHT = 480;

  /** Called on the camera's thread. */
  interface Listener {
    /**
     * @param sensorDegrees clockwise turn that makes frames upright on an upright device
     */
    void onOpened(int sensorDegrees);

    /** The image is closed after the call. */
    void onFrame(Image image);

    void onFailed(CameraFault fault);
  }

  private final Listener listener;
  private final HandlerThread thread = new HandlerThread("camera");
  private final Handler handler;

  // Of the camera's thread.
  private ImageReader reader;
  private CameraDevice device;
  private Surface preview;
  private boolean closed;

  /**
   * @param texture of the preview; needs {@link Manifest.permission#CAMERA}
   */
  CameraSource(Context context, SurfaceTexture texture, Listener listener) {
    this.listener = listener;
    thread.start();
    handler = new Handler(thread.getLooper());
    CameraManager manager = context.getSystemService(CameraManager.class);
    handler.post(() -> open(manager, texture));
  }

  /** Ends the camera; no callback comes after it. */
  @Override
  public void close() {
    handler.post(
        () -> {
          closed = true;
          closeDevice();
        });
    thread.quitSafely();
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @SuppressLint("MissingPermission")  // the caller has it; a SecurityException is handled
  private void open(CameraManager manager, SurfaceTexture texture) {
    try {
      String id = choose(manager);
      if (id == null) {
        fail(CameraFault.NONE);
        return;
      }
      Integer degrees =
          manager.getCameraCharacteristics(id).get(CameraCharacteristics.SENSOR_ORIENTATION);
      texture.setDefaultBufferSize(WIDTH, HEIGHT);
      preview = new Surface(texture);
      reader = ImageReader.newInstance(WIDTH, HEIGHT, ImageFormat.YUV_420_888, 2);
      reader.setOnImageAvailableListener(this::forward, handler);
      manager.openCamera(id, new DeviceCallback(degrees == null ? 0 : degrees), handler);
    } catch (CameraAccessException e) {
      fail(fault(e));
    } catch (SecurityException | IllegalArgumentException e) {
      fail(CameraFault.FAILED);
    }
  }

  private static String choose(CameraManager manager) throws CameraAccessException {
    String[] ids = manager.getCameraIdList();
    for (String id : ids) {
      Integer facing = manager.getCameraCharacteristics(id).get(CameraCharacteristics.LENS_FACING);
      if (facing != null && facing == CameraCharacteristics.LENS_FACING_BACK) {
        return id;
      }
    }
    return ids.length == 0 ? null : ids[0];
  }

  private void forward(ImageReader from) {
    try (Image image = from.acquireLatestImage()) {
      if (image != null && !closed) {
        listener.onFrame(image);
      }
    }
  }

  private void fail(CameraFault fault) {
    closeDevice();
    if (!closed) {
      listener.onFailed(fault);
    }
  }

  private void closeDevice() {
    if (device != null) {
      device.close();
      device = null;
    }
    if (reader != null) {
      reader.close();
      reader = null;
    }
    if (preview != null) {
      preview.release();
      preview = null;
    }
  }

  private static CameraFault fault(CameraAccessException e) {
    switch (e.getReason()) {
      case CameraAccessException.CAMERA_IN_USE:
      case CameraAccessException.MAX_CAMERAS_IN_USE:
        return CameraFault.IN_USE;
      case CameraAccessException.CAMERA_DISABLED:
        return CameraFault.DISABLED;
      default:
        return CameraFault.FAILED;
    }
  }

  private final class DeviceCallback extends CameraDevice.StateCallback {
    private final int sensorDegrees;

    DeviceCallback(int sensorDegrees) {
      this.sensorDegrees = sensorDegrees;
    }

    @Override
    @SuppressWarnings("deprecation")  // the other form needs API 28
    public void onOpened(CameraDevice opened) {
      device = opened;
      if (closed) {
        closeDevice();
        return;
      }
      try {
        CaptureRequest.Builder request =
            opened.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW);
        request.addTarget(preview);
        request.addTarget(reader.getSurface());
        opened.createCaptureSession(
            Arrays.asList(preview, reader.getSurface()),
            new SessionCallback(request.build(), sensorDegrees),
            handler);
      } catch (CameraAccessException e) {
        fail(fault(e));
      }
    }

    @Override
    public void onDisconnected(CameraDevice lost) {
      device = lost;
      fail(CameraFault.IN_USE);  // another app took it
    }

    @Override
    public void onError(CameraDevice broken, int error) {
      device = broken;
      boolean inUse = error == ERROR_CAMERA_IN_USE || error == ERROR_MAX_CAMERAS_IN_USE;
      boolean disabled = error == ERROR_CAMERA_DISABLED;
      fail(inUse ? CameraFault.IN_USE : disabled ? CameraFault.DISABLED : CameraFault.FAILED);
    }
  }

  private final class SessionCallback extends CameraCaptureSession.StateCallback {
    private final CaptureRequest request;
    private final int sensorDegrees;

    SessionCallback(CaptureRequest request, int sensorDegrees) {
      this.request = request;
      this.sensorDegrees = sensorDegrees;
    }

    @Override
    public void onConfigured(CameraCaptureSession session) {
      if (closed) {
        return;
      }
      try {
        session.setRepeatingRequest(request, null, handler);
        listener.onOpened(sensorDegrees);
      } catch (CameraAccessException e) {
        fail(fault(e));
      } catch (IllegalStateException e) {  // the device went away in between
        fail(CameraFault.FAILED);
      }
    }

    @Override
    public void onConfigureFailed(CameraCaptureSession session) {
      fail(CameraFault.FAILED);
    }
  }
}
