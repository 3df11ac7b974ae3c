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
     * @param front whether the camera looks at the user
     */
    void onOpened(int sensorDegrees, boolean front);

    /** The image is closed after the call. */
    void onFrame(Image image);

    void onFailed(CameraFault fault);
  }

  /** How long {@link #close} waits for a camera service that does not answer. */
  private static final long CLOSE_MS = 2000;

  private final Listener listener;
  private final HandlerThread thread = new HandlerThread("camera");
  private final Handler handler;

  private volatile boolean closed;

  // Of the camera's thread.
  private ImageReader reader;
  private CameraDevice device;
  private Surface preview;
  private boolean opening;

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

  /** Ends the camera; no callback comes after it, unless the camera service hangs. */
  @Override
  public void close() {
    closed = true;
    handler.post(this::shutDown);
    try {
      thread.join(CLOSE_MS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The thread stays for the answer to an open: a device it does not get would stay open. */
  private void shutDown() {
    if (!opening) {
      closeDevice();
      thread.quit();
    }
  }

  @SuppressLint("MissingPermission")  // the caller has it; a SecurityException is handled
  private void open(CameraManager manager, SurfaceTexture texture) {
    if (closed) {
      return;
    }
    try {
      String id = choose(manager);
      if (id == null) {
        fail(CameraFault.NONE);
        return;
      }
      CameraCharacteristics facts = manager.getCameraCharacteristics(id);
      texture.setDefaultBufferSize(WIDTH, HEIGHT);
      preview = new Surface(texture);
      reader = ImageReader.newInstance(WIDTH, HEIGHT, ImageFormat.YUV_420_888, 2);
      reader.setOnImageAvailableListener(this::forward, handler);
      opening = true;
      manager.openCamera(id, new DeviceCallback(facts), handler);
    } catch (CameraAccessException e) {
      opening = false;
      fail(fault(e));
    } catch (SecurityException | IllegalArgumentException e) {
      opening = false;
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
    private final CameraCharacteristics facts;

    DeviceCallback(CameraCharacteristics facts) {
      this.facts = facts;
    }

    @Override
    @SuppressWarnings("deprecation")  // the other form needs API 28
    public void onOpened(CameraDevice opened) {
      answered(opened);
      if (closed) {
        return;
      }
      try {
        CaptureRequest.Builder request =
            opened.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW);
        request.addTarget(preview);
        request.addTarget(reader.getSurface());
        opened.createCaptureSession(
            Arrays.asList(preview, reader.getSurface()),
            new SessionCallback(request.build(), facts),
            handler);
      } catch (CameraAccessException e) {
        fail(fault(e));
      } catch (IllegalArgumentException | IllegalStateException e) {
        fail(CameraFault.FAILED);  // the preview or the device went away in between
      }
    }

    @Override
    public void onDisconnected(CameraDevice lost) {
      answered(lost);
      fail(CameraFault.IN_USE);  // another app took it
    }

    @Override
    public void onError(CameraDevice broken, int error) {
      answered(broken);
      boolean inUse = error == ERROR_CAMERA_IN_USE || error == ERROR_MAX_CAMERAS_IN_USE;
      boolean disabled = error == ERROR_CAMERA_DISABLED;
      fail(inUse ? CameraFault.IN_USE : disabled ? CameraFault.DISABLED : CameraFault.FAILED);
    }
  }

  private void answered(CameraDevice given) {
    opening = false;
    device = given;
    if (closed) {
      shutDown();
    }
  }

  private final class SessionCallback extends CameraCaptureSession.StateCallback {
    private final CaptureRequest request;
    private final CameraCharacteristics facts;

    SessionCallback(CaptureRequest request, CameraCharacteristics facts) {
      this.request = request;
      this.facts = facts;
    }

    @Override
    public void onConfigured(CameraCaptureSession session) {
      if (closed) {
        return;
      }
      try {
        session.setRepeatingRequest(request, null, handler);
        Integer degrees = facts.get(CameraCharacteristics.SENSOR_ORIENTATION);
        Integer facing = facts.get(CameraCharacteristics.LENS_FACING);
        boolean front = facing != null && facing == CameraCharacteristics.LENS_FACING_FRONT;
        listener.onOpened(degrees == null ? 0 : degrees, front);
      } catch (CameraAccessException e) {
        fail(fault(e));
      } catch (IllegalArgumentException | IllegalStateException e) {  // as above
        fail(CameraFault.FAILED);
      }
    }

    @Override
    public void onConfigureFailed(CameraCaptureSession session) {
      fail(CameraFault.FAILED);
    }
  }
}
