import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// What is built is the same wherever it is built.
if (process.argv.includes('build')) process.env.NODE_ENV = 'production'

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    // The notices of what is bundled, beside it.
    license: { fileName: 'licenses.md' },
    // One file of each kind: the page is small.
    chunkSizeWarningLimit: 1000,
  },
  // npm run dev, beside go run ./cmd/shapegate-dev.
  server: { proxy: { '/v1': 'http://localhost:8080', '/demo': 'http://localhost:8080' } },
})
