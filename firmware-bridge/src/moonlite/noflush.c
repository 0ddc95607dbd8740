/*
 * Preloaded into Debian's INDI drivers in tests. They call tcflush(TCIOFLUSH) around each command; on a real port that
 * drops what has not left the UART, on a pseudo-terminal what the far end has not read yet, so commands without an
 * answer are lost. Here the output is kept and only the input flushed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <termios.h>

int tcflush(int fd, int queue) {
  static int (*real)(int, int);
  if (!real) real = (int (*)(int, int))dlsym(RTLD_NEXT, "tcflush");
  return queue == TCOFLUSH ? 0 : real(fd, TCIFLUSH);
}
