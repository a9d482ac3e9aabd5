package server

import (
	"testing"
	"time"

	"licensekit/auth"
)

const backupsPath = "/api/v1/system/backups"

// What is told of a backup is in the audit trail, with who told it.
func TestBackupIsOnRecord(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.post(t, auth.Admin, backupsPath, "application/json", `{"instance":"`+s.dir.Instance+`","exports":2,"blob_bytes":81442,"damaged":0,"no_keys":true,"copied":null}`).want(t, 204, "")
	s.post(t, auth.Admin, backupsPath, "application/json", `{}`).want(t, 204, "")
	for body, detail := range map[string]string{
		`{"instance":"lki_another"}`: `it is a backup of instance "lki_another"`,
		`{"exports":-1}`:             "exports must not be negative",
	} {
		s.post(t, auth.Admin, backupsPath, "application/json", body).want(t, 422, "VALIDATION_ERROR").detail(t, detail)
	}
	for body, detail := range map[string]string{
		`{"exports":"2"}`:                 "exports holds string where an integer belongs",
		`{"exports":9e99}`:                "exports holds number 9e99 where an integer belongs",
		`{"destination":"/mnt/usb"}`:      `unknown member "destination"`,
		`{"exports":9223372036854775808}`: "where an integer belongs",
	} {
		s.post(t, auth.Admin, backupsPath, "application/json", body).want(t, 400, "INVALID_JSON").detail(t, detail)
	}
	events := s.events(t, "event_type=directory.backed_up")
	if len(events) != 2 {
		t.Fatalf("events %+v; want the two that were told", events)
	}
	told := events[1]
	if told.ActorType != "api_key" || told.ResourceID != s.dir.Instance || len(told.Metadata) != 4 || told.Metadata["blob_bytes"] != 81442.0 || told.Metadata["no_keys"] != true {
		t.Errorf("event %+v; want the key and the four values that were told", told)
	}
	s.families(t).atLeast(t, "licensekit_last_backup_timestamp_seconds", float64(time.Now().Add(-time.Hour).Unix()))
}
