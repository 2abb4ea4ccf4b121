/* Progress of a build on stderr, and Ctrl-C. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

static volatile sig_atomic_t interrupts;

static void on_interrupt(int number) {
  (void)number;
  interrupts = 1;
}

/* The handler goes as it is called, so that a second Ctrl-C ends the process. */
void catch_interrupt(void) {
  struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESETHAND | SA_RESTART};
  interrupts = 0;
  sigaction(SIGINT, &action, NULL);
}

void release_interrupt(void) {
  struct sigaction action = {.sa_handler = SIG_DFL};
  sigaction(SIGINT, &action, NULL);
}

bool interrupted(void) {
  return interrupts;
}

#define BAR 30

static void draw_bar(const char *phase, size_t done, size_t total, double seconds_left) {
  char bar[BAR + 1], left[32] = "";
  int full = total ? (int)(done * BAR / total) : 0;
  for (int i = 0; i < BAR; i++) bar[i] = i < full ? '#' : '.';
  bar[BAR] = 0;
  if (seconds_left >= 0 && done < total) snprintf(left, sizeof left, ", %.1f s left", seconds_left);
  fprintf(stderr, "\r\x1b[K%s [%s] %zu of %zu%s", phase, bar, done, total, left);
  if (done == total) fputc('\n', stderr);
  fflush(stderr);
}

bool show_progress(void *argument, const char *phase, size_t done, size_t total,
                   double seconds_left) {
  static const char *last_phase;
  static size_t last_quarter;
  const bool quiet = *(const bool *)argument;
  size_t quarter = total ? done * 4 / total : 0;
  bool news = last_phase != phase || quarter != last_quarter;
  if (!quiet && isatty(STDERR_FILENO)) {
    draw_bar(phase, done, total, seconds_left);
  } else if (!quiet && news) {
    if (total > 1)
      fprintf(stderr, "%s: %zu of %zu\n", phase, done, total);
    else if (last_phase != phase)
      fprintf(stderr, "%s\n", phase);
  }
  last_phase = phase;
  last_quarter = quarter;
  return !interrupts;
}
