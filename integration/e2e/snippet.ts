import { FetchError } from '@electric-sql/client'
import { createCollection } from '@tanstack/db'
import { electricCollectionOptions } from '@tanstack/electric-db-collection'
import { getToken } from './auth.js' // yours: returns a JWT, a new one when the last has expired

type Document = { id: string; project_id: string; title: string; updated_at: string }

const retryAfter = 10_000 // ms

export const documents = createCollection(
  electricCollectionOptions<Document>({
    id: 'documents',
    getKey: (row) => row.id,
    syncMode: 'on-demand', // or 'eager', or 'progressive'
    shapeOptions: {
      url: 'https://sync.example.com/v1/shapes/documents',
      headers: { Authorization: async () => `Bearer ${await getToken()}` },
      subsetMethod: 'POST',
      onError: (error) => {
        if (!(error instanceof FetchError)) return
        if (error.status === 401) return {} // asks again, with a new token
        // This person may not sync the shape (any more): drop its rows, and try again.
        if (error.status === 403) void clearAndRetry()
      },
    },
  }),
)

async function clearAndRetry() {
  await documents.cleanup()
  setTimeout(() => documents.startSyncImmediate(), retryAfter)
}
