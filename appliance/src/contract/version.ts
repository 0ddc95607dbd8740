/** Of this software: in frame headers, event ids and the panel. */
export const version = '0.1.0'
