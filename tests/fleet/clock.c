/* A clock that is wrong by OFFSET seconds, for every process that this is preloaded into: the kernel has one clock of the
   day for all namespaces. What waits until a moment of that clock waits as long as it would; times of files stay right. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/time.h>
#include <time.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define A_DATE 1000000000 /* seconds: no machine has been up for so long, so it is no moment of the monotonic clock */

int clock_gettime(clockid_t clock, struct timespec *now) {
  static __typeof__(&clock_gettime) next;
  if (!next) next = NEXT(clock_gettime);
  int result = next(clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += OFFSET;
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec precise;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *now) {
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  if (now) *now = precise.tv_sec;
  return precise.tv_sec;
}

static const struct timespec *real(const struct timespec *until, struct timespec *moved) {
  *moved = *until;
  if (until->tv_sec > A_DATE) moved->tv_sec -= OFFSET;
  return moved;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
  static __typeof__(&pthread_cond_timedwait) next;
  struct timespec moved;
  if (!next) next = NEXT(pthread_cond_timedwait);
  return next(condition, mutex, real(until, &moved));
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
  static __typeof__(&sem_timedwait) next;
  struct timespec moved;
  if (!next) next = NEXT(sem_timedwait);
  return next(semaphore, real(until, &moved));
}
