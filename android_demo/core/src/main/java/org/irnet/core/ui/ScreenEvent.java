package org.irnet.core.ui;

/** What happens to the screen. */
public sealed interface ScreenEvent {
  record PermissionGranted() implements ScreenEvent {}

  record PermissionRefused(boolean forGood) implements ScreenEvent {}

  record CameraOpened() implements ScreenEvent {}

  record CameraFailed(ScreenState.CameraFault fault) implements ScreenEvent {}

  record ModelChosen() implements ScreenEvent {}

  record ModelReady() implements ScreenEvent {}

  record ModelFailed(ScreenState.ModelFault fault, String detail) implements ScreenEvent {}

  record PicturePicked() implements ScreenEvent {}

  record PictureClosed() implements ScreenEvent {}

  record CompareStarted(int rounds) implements ScreenEvent {}

  record CompareProgress(int done, int rounds) implements ScreenEvent {}

  record CompareEnded() implements ScreenEvent {}
}
