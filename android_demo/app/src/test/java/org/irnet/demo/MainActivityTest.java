package org.irnet.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.nio.file.Path;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;

@RunWith(RobolectricTestRunner.class)
public class MainActivityTest {
  private final FakeSessions sessions = new FakeSessions();

  @Test
  public void aPickedPictureShowsItsClass() throws Exception {
    try (Phone phone = Phone.start(sessions, null, false)) {
      phone.answer(false);
      phone.pick(Phone.plainPicture());
      phone.await("a result", () -> phone.text(R.id.results).startsWith("frog"));
      phone.screenshot(Path.of("build/screens/spike.png"));
      assertTrue(phone.text(R.id.numbers), phone.text(R.id.numbers).contains("1.00 ms"));
      assertEquals("frog", phone.text(R.id.results).split(" ")[0]);
    }
    assertEquals(sessions.opened.get(), sessions.closed.get());
  }
}
