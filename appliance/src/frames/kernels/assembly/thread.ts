/** Which of the compute threads this instance is, 0 first. Globals are private to an instance; memory is not. */
export let thread: i32 = 0

/** Called once after instantiation. */
export function setThread(index: i32): void {
  thread = index
}

// @ts-ignore: decorator
@inline
/** This thread's own part of a scratch area of `bytesPerThread` for each thread. */
export function ownScratch(base: usize, bytesPerThread: usize): usize {
  return base + <usize>thread * bytesPerThread
}
