package org.irnet.core.ui;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.irnet.core.ui.ScreenState.CameraFault;
import org.irnet.core.ui.ScreenState.ModelFault;
import org.junit.jupiter.api.Test;

class ScreenTest {
  private static final List<ScreenEvent> EVENTS =
      List.of(
          new ScreenEvent.PermissionGranted(),
          new ScreenEvent.PermissionRefused(false),
          new ScreenEvent.PermissionRefused(true),
          new ScreenEvent.CameraOpened(),
          new ScreenEvent.CameraFailed(CameraFault.IN_USE),
          new ScreenEvent.ModelChosen(),
          new ScreenEvent.ModelReady(),
          new ScreenEvent.ModelFailed(ModelFault.CORRUPT, "why"),
          new ScreenEvent.PicturePicked(),
          new ScreenEvent.PictureClosed(),
          new ScreenEvent.CompareStarted(60),
          new ScreenEvent.CompareProgress(7, 60),
          new ScreenEvent.CompareEnded());

  private static Screen after(ScreenEvent... events) {
    Screen screen = Screen.start();
    for (ScreenEvent event : events) {
      screen = screen.after(event);
    }
    return screen;
  }

  private static Screen live() {
    return after(EVENTS.get(0), EVENTS.get(3), EVENTS.get(6));
  }

  @Test
  void theUsualWay() {
    assertEquals(new ScreenState.AskingPermission(), Screen.start().state());
    assertEquals(new ScreenState.Loading(), after(EVENTS.get(0)).state());
    assertEquals(new ScreenState.Loading(), after(EVENTS.get(0), EVENTS.get(3)).state());
    assertEquals(new ScreenState.Live(), live().state());
    assertTrue(live().usesFrames());
    Screen comparing = live().after(new ScreenEvent.CompareStarted(60));
    assertEquals(new ScreenState.Comparing(0, 60), comparing.state());
    assertFalse(comparing.canCompare());
    comparing = comparing.after(new ScreenEvent.CompareProgress(7, 60));
    assertEquals(new ScreenState.Comparing(7, 60), comparing.state());
    assertEquals(live(), comparing.after(new ScreenEvent.CompareEnded()));
  }

  @Test
  void troubleIsAState() {
    assertEquals(new ScreenState.PermissionDenied(true), after(EVENTS.get(2)).state());
    assertEquals(
        new ScreenState.CameraProblem(CameraFault.IN_USE), live().after(EVENTS.get(4)).state());
    Screen broken = live().after(new ScreenEvent.ModelFailed(ModelFault.UNSUPPORTED_ABI, "x86"));
    assertEquals(new ScreenState.ModelProblem(ModelFault.UNSUPPORTED_ABI, "x86"), broken.state());
    assertFalse(broken.usesFrames());
    assertEquals(live(), broken.after(new ScreenEvent.ModelChosen()).after(EVENTS.get(6)));
    // The camera's trouble is still there behind the model's.
    Screen both = after(EVENTS.get(4), EVENTS.get(7), EVENTS.get(5), EVENTS.get(6));
    assertEquals(new ScreenState.CameraProblem(CameraFault.IN_USE), both.state());
  }

  @Test
  void picturesNeedNoCamera() {
    Screen picture = after(EVENTS.get(1), EVENTS.get(6), EVENTS.get(8));
    assertEquals(new ScreenState.Picture(), picture.state());
    assertTrue(picture.canCompare());
    assertFalse(picture.usesFrames());
    assertEquals(
        new ScreenState.PermissionDenied(false),
        picture.after(new ScreenEvent.PictureClosed()).state());
  }

  @Test
  void aChangeOfModelEndsAComparison() {
    Screen comparing = live().after(new ScreenEvent.CompareStarted(60));
    assertEquals(new ScreenState.Loading(), comparing.after(EVENTS.get(5)).state());
    // Progress that was under way arrives late and changes nothing.
    Screen late = comparing.after(EVENTS.get(5)).after(EVENTS.get(11));
    assertEquals(new ScreenState.Loading(), late.state());
  }

  @Test
  void aCameraThatIsOpenedAnewIsNotOpenYet() {
    Screen again = live().after(new ScreenEvent.PermissionGranted());
    assertEquals(new ScreenState.Loading(), again.state());
    assertFalse(again.canCompare());
    assertEquals(live(), again.after(new ScreenEvent.CameraOpened()));
  }

  /** Every screen that any events lead to has a state, and its promises hold. */
  @Test
  void allScreensAreSound() {
    Set<Screen> seen = new HashSet<>(List.of(Screen.start()));
    List<Screen> open = new ArrayList<>(seen);
    Set<Class<?>> states = new HashSet<>();
    while (!open.isEmpty()) {
      Screen screen = open.remove(open.size() - 1);
      ScreenState state = screen.state();
      states.add(state.getClass());
      if (state instanceof ScreenState.Comparing) {
        assertFalse(screen.canCompare());
      }
      if (state instanceof ScreenState.Live || state instanceof ScreenState.Picture) {
        assertTrue(screen.canCompare());
      }
      if (state instanceof ScreenState.ModelProblem problem) {
        assertEquals("why", problem.detail());
        assertFalse(screen.canCompare());
      }
      for (ScreenEvent event : EVENTS) {
        Screen next = screen.after(event);
        if (seen.add(next)) {
          open.add(next);
        }
      }
    }
    assertEquals(ScreenState.class.getPermittedSubclasses().length, states.size());
  }
}
