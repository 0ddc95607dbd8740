// Records of float64 words, one a star.

// @ts-ignore: decorator
@inline
export function word(record: usize, index: i32): f64 {
  return load<f64>(record + (<usize>index << 3))
}

// @ts-ignore: decorator
@inline
export function setWord(record: usize, index: i32, value: f64): void {
  store<f64>(record + (<usize>index << 3), value)
}
