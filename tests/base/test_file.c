/* Files: mapping, companions that must stay beneath their folder, atomic writing. */
#include "base/file.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "check.h"

static char folder[] = "/tmp/hone_test_file.XXXXXX";

/* The path of `name` in the test's folder; good until the fourth call after. */
static const char *in_folder(const char *name) {
  static char paths[4][128];
  static unsigned turn;
  char *path = paths[turn++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static void put(const char *name, const char *content) {
  hone_bytes part = {content, strlen(content)};
  CHECK_OK(hone_file_write(in_folder(name), &part, 1));
}

static bool holds(const char *name, const char *content) {
  char *text = NULL;
  size_t size = 0;
  hone_status *status = hone_file_read(in_folder(name), 1000, &text, &size);
  bool good = !status && size == strlen(content) && strcmp(text, content) == 0;
  hone_status_free(status);
  hone_free(text);
  return good;
}

TEST(maps_and_shares) {
  put("a", "abc");
  hone_file *file = NULL;
  CHECK_OK(hone_file_open(in_folder("a"), &file));
  hone_file *again = hone_file_retain(file);
  hone_file_release(file);
  CHECK(hone_file_bytes(again).size == 3 && memcmp(hone_file_bytes(again).data, "abc", 3) == 0);
  hone_file_release(again);
  put("empty", "");
  CHECK_OK(hone_file_open(in_folder("empty"), &file));
  CHECK(hone_file_bytes(file).size == 0 && hone_file_bytes(file).data != NULL);
  hone_file_release(file);
  hone_file_release(NULL);
}

TEST(refuses_what_is_no_file) {
  hone_file *file;
  char *text;
  size_t size;
  CHECK_ERROR(hone_file_open(in_folder("none\n"), &file), HONE_NOT_FOUND, "none\\n'");
  CHECK_ERROR(hone_file_open(folder, &file), HONE_IO, "no regular file");
  CHECK(mkfifo(in_folder("pipe"), 0600) == 0);
  CHECK_ERROR(hone_file_open(in_folder("pipe"), &file), HONE_IO, "no regular file");
  put("long", "12345");
  CHECK_ERROR(hone_file_read(in_folder("long"), 4, &text, &size), HONE_LIMIT, "more than 4");
}

static hone_status *beneath(const char *name) {
  hone_file *file = NULL;
  hone_status *status = hone_file_open_beneath(folder, name, strlen(name), &file);
  if (!status) hone_file_release(file);
  return status;
}

TEST(companions_stay_beneath) {
  CHECK(mkdir(in_folder("sub"), 0700) == 0);
  put("sub/w", "weights");
  put("w", "weights");
  CHECK_OK(beneath("w"));
  CHECK_OK(beneath("./w"));
  CHECK_OK(beneath("sub/w"));
  const char *const outside[] = {"",       "/etc/passwd", "../w", "sub/../w", "sub/..", "..",
                                 "sub//w", ".",           "./",   "sub/./w",  "././w"};
  for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
    CHECK_ERROR(beneath(outside[i]), HONE_INVALID_MODEL, "beneath");
  CHECK_ERROR(beneath("none"), HONE_NOT_FOUND, "none");
  CHECK_ERROR(beneath("sub"), HONE_IO, "no regular file");
  CHECK_ERROR(beneath("w/"), HONE_IO, "w/");
  hone_file *file;
  CHECK_ERROR(hone_file_open_beneath(folder, "w\0x", 3, &file), HONE_INVALID_MODEL, "w\\u0000x");
  char name[2000];
  memset(name, 'a', sizeof name);
  CHECK_ERROR(hone_file_open_beneath(folder, name, sizeof name, &file), HONE_INVALID_MODEL,
              "too long");
}

TEST(companions_are_no_links) {
  put("target", "x");
  CHECK(symlink("target", in_folder("soft")) == 0);
  CHECK(symlink("sub", in_folder("soft_sub")) == 0);
  CHECK(link(in_folder("target"), in_folder("hard")) == 0);
  CHECK_ERROR(beneath("soft"), HONE_IO, "soft");
  CHECK_ERROR(beneath("soft_sub/w"), HONE_IO, "soft_sub");
  CHECK_ERROR(beneath("hard"), HONE_IO, "more than one link");
}

TEST(writes_all_or_nothing) {
  hone_bytes parts[] = {{"one ", 4}, {"", 0}, {"two", 3}};
  CHECK_OK(hone_file_write(in_folder("out"), parts, 3));
  CHECK(holds("out", "one two"));
  CHECK_OK(hone_file_write(in_folder("out"), parts, 1));
  CHECK(holds("out", "one "));
  CHECK_ERROR(hone_file_write(in_folder("none/out"), parts, 1), HONE_NOT_FOUND, "create");
  /* A folder stands where the file would go: the rename fails, and nothing is left behind. */
  CHECK(mkdir(in_folder("taken"), 0700) == 0);
  CHECK_ERROR(hone_file_write(in_folder("taken"), parts, 1), HONE_IO, "write");
  for (uint64_t n = 1; n <= 2; n++) {
    hone_alloc_fail_at(n, false);
    CHECK_ERROR(hone_file_write(in_folder("out"), parts, 3), HONE_OUT_OF_MEMORY, "");
    hone_alloc_fail_at(0, false);
  }
  CHECK(holds("out", "one "));
  char command[128];
  snprintf(command, sizeof command, "ls %s | grep -q tmp", folder);
  CHECK(system(command) != 0);
}

TEST(respects_the_umask) {
  mode_t old = umask(077);
  put("private", "secret");
  umask(old);
  struct stat facts;
  CHECK(stat(in_folder("private"), &facts) == 0 && (facts.st_mode & 0777) == 0600);
}

TEST(finds_folders) {
  const char *const rows[][2] = {{"a/b/c", "a/b"}, {"c", "."}, {"/c", "/"}, {"a/", "a"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char *path = hone_path_folder(rows[i][0]);
    CHECK(path && strcmp(path, rows[i][1]) == 0);
    hone_free(path);
  }
}

int main(void) {
  if (!mkdtemp(folder)) return 1;
  RUN(maps_and_shares);
  RUN(refuses_what_is_no_file);
  RUN(companions_stay_beneath);
  RUN(companions_are_no_links);
  RUN(writes_all_or_nothing);
  RUN(respects_the_umask);
  RUN(finds_folders);
  char command[128];
  snprintf(command, sizeof command, "rm -r %s", folder);
  CHECK(system(command) == 0);
  return check_report();
}
