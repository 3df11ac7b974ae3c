package org.irnet.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import android.graphics.Bitmap;
import android.graphics.Color;
import android.graphics.Rect;
import android.text.Layout;
import android.view.View;
import android.view.ViewGroup;
import android.widget.ScrollView;
import android.widget.TextView;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;

/** Everybody can read and use the screen: touch targets, labels, large letters, contrast. */
@RunWith(RobolectricTestRunner.class)
public class LayoutTest {
  private static final int LEAST_DP = 48;
  private static final double LEAST_CONTRAST = 4.5;

  private final FakeSessions sessions = new FakeSessions();

  @Test
  public void portrait() {
    check();
  }

  @Test
  public void landscape() {
    RuntimeEnvironment.setQualifiers("w740dp-h360dp-land-xhdpi");
    check();
  }

  @Test
  public void night() {
    RuntimeEnvironment.setQualifiers("+night");
    check();
  }

  @Test
  public void largeLetters() {
    RuntimeEnvironment.setFontScale(2f);
    check();
  }

  @Test
  public void largeLettersInLandscape() {
    RuntimeEnvironment.setQualifiers("w740dp-h360dp-land-xhdpi");
    RuntimeEnvironment.setFontScale(2f);
    check();
  }

  /** Every screen in this configuration. */
  private void check() {
    try (Phone phone = Phone.start(sessions, null, false)) {
      checkAll(phone);
      phone.answer(false);
      checkAll(phone);
      phone.pick(Phone.plainPicture());
      phone.await("a result", () -> phone.results().contains("frog"));
      phone.compared("1-bit: 0.50 ms, 300 kB\nfloat32: 2.00 ms, 1,100 kB");
      checkAll(phone);
      Rig.assets = MainActivityTest::damaged;
      phone.recreate();
      phone.await("damage", () -> phone.text(R.id.message).contains("is damaged"));
      checkAll(phone);
    }
  }

  private static void checkAll(Phone phone) {
    phone.idle(500);
    List<View> shown = new ArrayList<>();
    collect(phone.activity().getWindow().getDecorView(), shown);
    float density = phone.activity().getResources().getDisplayMetrics().density;
    Bitmap picture = phone.draw();
    int texts = 0;
    for (View view : shown) {
      if (view.isClickable()) {
        assertTrue(view + " has no name", !name(view).isEmpty());
        assertTrue(view + " is low", view.getHeight() >= LEAST_DP * density);
        assertTrue(view + " is narrow", view.getWidth() >= LEAST_DP * density);
      }
      if (view instanceof TextView text && text.length() > 0) {
        texts++;
        assertUncut(text);
        if (text.isEnabled()) {
          assertReadable(text, picture);
        }
      }
    }
    assertTrue("texts: " + texts, texts >= 5);
    assertAllReachable(phone.view(R.id.panel));
    if (phone.shows(R.id.trouble)) {
      assertAllReachable(phone.view(R.id.trouble));
    }
  }

  private static void collect(View view, List<View> shown) {
    if (view.getVisibility() != View.VISIBLE) {
      return;
    }
    shown.add(view);
    if (view instanceof ViewGroup group) {
      for (int i = 0; i < group.getChildCount(); i++) {
        collect(group.getChildAt(i), shown);
      }
    }
  }

  private static String name(View view) {
    CharSequence description = view.getContentDescription();
    boolean own = description == null && view instanceof TextView;
    return String.valueOf(own ? ((TextView) view).getText() : description).replace("null", "");
  }

  private static void assertUncut(TextView text) {
    Layout layout = text.getLayout();
    String what = "\"" + text.getText() + "\"";
    int width = text.getWidth() - text.getCompoundPaddingLeft() - text.getCompoundPaddingRight();
    int height = text.getHeight() - text.getCompoundPaddingTop() - text.getCompoundPaddingBottom();
    assertTrue(what + " is too high", layout.getHeight() <= height);
    for (int line = 0; line < layout.getLineCount(); line++) {
      assertEquals(what, 0, layout.getEllipsisCount(line));
      assertTrue(what + " is too wide", layout.getLineMax(line) <= width + 1);
    }
    assertEquals(what, text.length(), layout.getLineEnd(layout.getLineCount() - 1));
  }

  /** What lies in a scrolling view and below its edge can be scrolled to. */
  private static void assertAllReachable(ScrollView scroll) {
    int content = scroll.getChildAt(0).getHeight();
    assertEquals(content > scroll.getHeight(), scroll.canScrollVertically(1));
    scroll.scrollTo(0, content);
    assertEquals(Math.max(0, content - scroll.getHeight()), scroll.getScrollY());
    scroll.scrollTo(0, 0);
  }

  /** Against the colour that is most frequent where the text stands. */
  private static void assertReadable(TextView text, Bitmap picture) {
    Rect place = new Rect();
    if (!text.getGlobalVisibleRect(place) || place.height() < 8) {
      return;  // scrolled away
    }
    Map<Integer, Integer> counts = new HashMap<>();
    for (int y = place.top; y < place.bottom; y += 2) {
      for (int x = place.left; x < place.right; x += 2) {
        counts.merge(picture.getPixel(x, y), 1, Integer::sum);
      }
    }
    int ground = 0;
    for (Map.Entry<Integer, Integer> entry : counts.entrySet()) {
      ground = entry.getValue() > counts.getOrDefault(ground, 0) ? entry.getKey() : ground;
    }
    double contrast = contrast(text.getCurrentTextColor(), ground);
    assertTrue("\"" + text.getText() + "\": contrast " + contrast, contrast >= LEAST_CONTRAST);
  }

  /** WCAG's ratio; a colour may be half transparent. */
  private static double contrast(int colour, int ground) {
    float alpha = Color.alpha(colour) / 255f;
    int red = Math.round(alpha * Color.red(colour) + (1 - alpha) * Color.red(ground));
    int green = Math.round(alpha * Color.green(colour) + (1 - alpha) * Color.green(ground));
    int blue = Math.round(alpha * Color.blue(colour) + (1 - alpha) * Color.blue(ground));
    double a = Color.luminance(Color.rgb(red, green, blue)) + 0.05;
    double b = Color.luminance(ground) + 0.05;
    return Math.max(a, b) / Math.min(a, b);
  }
}
