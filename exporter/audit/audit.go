// Package audit keeps the trail of what was done: who issued, revoked,
// imported, froze, downloaded, from where and over which request.
//
// # Promises
//
//   - An event of a change to the database is part of the change's own
//     transaction: neither is there without the other.
//   - Sequences begin at 1, have no gaps and follow the order of commits.
//     Events are never changed and never deleted.
//   - What has begun and not ended, such as an import of many transactions, is
//     held: if the process dies, the next [Open] records it as interrupted.
//   - Whoever follows the trail misses nothing: see [Trail.After] and
//     [Trail.More].
//
// # Refusals
//
// Events carry ids, names, counts and digests, never a secret and never the
// reporting data. Reading live reports is not recorded. The trail is no proof
// against who can write the data directory; the log of exports is.
//
// # Storage
//
// Three buckets of the database belong to this package, all of sealed values
// (see package sealed):
//
//	audit        sequence, 8 bytes big-endian  the event as JSON
//	audit.held   name                          an event whose end is still to come
//	audit.types  type                          how many events there are of it, and the newest one's sequence
package audit

import (
	"context"
	"time"
)

// Type says what was done, as <what>.<done>.
type Type string

// The types of events, with the members of their metadata.
const (
	KeyCreated Type = "api_key.created" // name, key_prefix, scopes, allowed_cidrs, expires_at
	KeyRevoked Type = "api_key.revoked" // name, key_prefix, scopes

	ActivitiesImported Type = "activities.imported" // object, mode, accepted, duplicates, conflicts, rejected, complete, file_name
	RecordsImported    Type = "records.imported"    // likewise

	ExportCreated          Type = "report_export.created"           // report_kind, format, filters
	ExportReady            Type = "report_export.ready"             // report_kind, format, digest, artifact_digest, as_of, row_count, size_bytes, log_index, created_by, recovered
	ExportFailed           Type = "report_export.failed"            // report_kind, format, code, created_by
	ExportDownloaded       Type = "report_export.downloaded"        // artifact_digest, whole (false for a range); repeats, since, until
	ExportBundleDownloaded Type = "report_export.bundle_downloaded" // likewise
	ExportPageViewed       Type = "report_export.page_viewed"       // likewise

	SigningKeyRotated Type = "signing_key.rotated" // old_key, log_origin, log_index
	LogRestarted      Type = "log.restarted"       // none

	CheckpointCosigned Type = "log.checkpoint_cosigned" // size, witnesses

	WebhookCreated Type = "webhook_endpoint.created" // name, origin of its URL, event_types, is_active
	WebhookUpdated Type = "webhook_endpoint.updated" // likewise; changed
	WebhookDeleted Type = "webhook_endpoint.deleted" // likewise

	DeliveryReplayed Type = "webhook_delivery.replayed" // delivery_id, event_sequence, event_type, received

	ScheduleCreated Type = "report_schedule.created" // name, report_kind, formats, period, time, time_zone, filters
	ScheduleDeleted Type = "report_schedule.deleted" // name, report_kind, formats, period
	ScheduleRan     Type = "report_schedule.ran"     // likewise; from, to, due_at, exports
	ScheduleRefused Type = "report_schedule.refused" // likewise; reason

	DirectoryChecked  Type = "directory.checked"   // ok, problems, blobs, exports, log_entries
	DirectoryScrubbed Type = "directory.scrubbed"  // blobs, bytes, damaged
	DirectoryDamaged  Type = "directory.damaged"   // what, id, problem
	BlobsCollected    Type = "blobs.collected"     // trashed, restored, removed
	DirectoryBackedUp Type = "directory.backed_up" // what was told of a backup: transaction, activities, exports, log_entries, blobs, blob_bytes, copied, damaged, no_keys

	ServerStarted Type = "server.started" // version, addresses
	ServerStopped Type = "server.stopped" // likewise; interrupted where it came to no orderly end

	LoginFailed Type = "authentication.failed" // reason; repeats, since, until
)

// Types lists them all.
var Types = []Type{
	KeyCreated, KeyRevoked, ActivitiesImported, RecordsImported,
	ExportCreated, ExportReady, ExportFailed, ExportDownloaded, ExportBundleDownloaded, ExportPageViewed,
	SigningKeyRotated, LogRestarted, CheckpointCosigned, WebhookCreated, WebhookUpdated, WebhookDeleted, DeliveryReplayed,
	ScheduleCreated, ScheduleDeleted, ScheduleRan, ScheduleRefused,
	DirectoryChecked, DirectoryScrubbed, DirectoryDamaged, BlobsCollected, DirectoryBackedUp, ServerStarted, ServerStopped, LoginFailed,
}

// ActorType is one of the LicenseKit contract's.
type ActorType string

// The types of actors. A license acts on nothing here, and there are no OIDC
// subjects.
const (
	ByKey       ActorType = "api_key"
	ByLicense   ActorType = "license"
	BySubject   ActorType = "oidc_subject"
	ByTheSystem ActorType = "system"
)

// ActorTypes lists them all.
var ActorTypes = []ActorType{ByKey, ByLicense, BySubject, ByTheSystem}

// Actor ids beside those of API keys.
const (
	Owner   = "owner"   // a system actor: the data directory's own user
	Server  = "server"  // a system actor: the program, on its own account
	Unknown = "unknown" // a key that nobody knows
)

// Origin is who did something, and over which request.
type Origin struct {
	ActorType ActorType `json:"actor_type"`
	ActorID   string    `json:"actor_id"`
	IPAddress string    `json:"ip_address,omitempty"`
	RequestID string    `json:"request_id,omitempty"`
}

type originKey struct{}

// With says on whose behalf things are done under ctx.
func With(ctx context.Context, by Origin) context.Context {
	return context.WithValue(ctx, originKey{}, by)
}

// OriginOf is what [With] said, or the server on its own account.
func OriginOf(ctx context.Context) Origin {
	if by, ok := ctx.Value(originKey{}).(Origin); ok {
		return by
	}
	return Origin{ActorType: ByTheSystem, ActorID: Server}
}

// Metadata is what else there is to say of an event. Values are of JSON.
type Metadata map[string]any

// Event is something that was done, as the LicenseKit contract has it and with
// the request's id beside. Whoever records one leaves Sequence and CreatedAt to
// the trail, and Origin too unless it is not that of the context.
type Event struct {
	Sequence int64 `json:"sequence"`
	Type     Type  `json:"event_type"`
	Origin
	ResourceType string    `json:"resource_type"`
	ResourceID   string    `json:"resource_id,omitempty"`
	Metadata     Metadata  `json:"metadata"`   // never nil
	CreatedAt    time.Time `json:"created_at"` // UTC, to the millisecond
}

// interrupted is the event of what ended with its process.
func (e Event) interrupted() Event {
	said := Metadata{"interrupted": true}
	for name, value := range e.Metadata {
		said[name] = value
	}
	e.Metadata = said
	return e
}
