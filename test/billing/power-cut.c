/*
 * Preloaded into a process, keeps in $POWER_CUT_DISK what the files below $POWER_CUT_ROOT would be after a power cut: each file
 * as it was when it was last synced. What was only written is not there, and what was only deleted still is, until the directory
 * is synced.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The directory was synced: what is gone from it is gone. */
static void forget(const char *root, const char *disk) {
  char path[PATH_MAX], kept[PATH_MAX];
  DIR *list = opendir(disk);
  if (list == NULL) abort();
  for (struct dirent *entry = readdir(list); entry != NULL; entry = readdir(list)) {
    snprintf(path, sizeof path, "%s/%s", root, entry->d_name);
    snprintf(kept, sizeof kept, "%s/%s", disk, entry->d_name);
    if (entry->d_name[0] != '.' && strstr(entry->d_name, ".draft") == NULL && access(path, F_OK) != 0) unlink(kept);
  }
  closedir(list);
}

static void keep(int fd) {
  const char *root = getenv("POWER_CUT_ROOT"), *disk = getenv("POWER_CUT_DISK");
  char link[64], path[PATH_MAX], draft[PATH_MAX], kept[PATH_MAX], piece[1 << 16];
  if (root == NULL || disk == NULL) return;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return;
  path[length] = 0;
  size_t prefix = strlen(root);
  if (strcmp(path, root) == 0) return forget(root, disk);
  if (strncmp(path, root, prefix) != 0 || path[prefix] != '/' || strchr(path + prefix + 1, '/') != NULL) return;
  snprintf(kept, sizeof kept, "%s%s", disk, path + prefix);
  snprintf(draft, sizeof draft, "%s.%d.draft", kept, (int)syscall(SYS_gettid));
  int out = open(draft, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (out < 0) abort();
  off_t at = 0;
  ssize_t count;
  while ((count = pread(fd, piece, sizeof piece, at)) > 0) {
    if (write(out, piece, (size_t)count) != count) abort();
    at += count;
  }
  close(out);
  if (count < 0 || rename(draft, kept) != 0) abort();
}

int fsync(int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  int result = real(fd);
  if (result == 0) keep(fd);
  return result;
}

int fdatasync(int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  int result = real(fd);
  if (result == 0) keep(fd);
  return result;
}
