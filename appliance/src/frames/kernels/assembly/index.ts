// Every kernel file, re-exported. Exported kernels are `name(rowFrom, rowTo, ...args)`; arguments are byte pointers
// (usize), sizes (i32) and parameters (f32, f64). Static data (strings, array literals, module-level arrays) may not be
// used: every thread has its own instance, but all of them share one memory, which belongs to the arena.

export * from './decode'
export { setThread } from './thread'
export * from './mask'
export * from './runs'
export * from './planes'
export * from './warp'
export * from './reference'
export * from './zogy'
export * from './level'
export * from './background'
export * from './fft'
export * from './statistics'
export * from './convolve'
export * from './preview'
export * from './detect'
export * from './stars'
export * from './calibrate'
export * from './stack'
export * from './cosmicRays'
export * from './rice'
