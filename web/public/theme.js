// Runs before the first paint, so that nobody who chose red at the telescope sees a flash of anything else.
try {
  const theme = localStorage.getItem('nightjar.theme')
  if (theme === 'day' || theme === 'red') document.documentElement.dataset.theme = theme
} catch {}
