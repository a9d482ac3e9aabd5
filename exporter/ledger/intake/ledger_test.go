package intake

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"licensekit/exporter/ledger"
	"licensekit/exporter/metadb"
)

// openLedger opens a real ledger in a new database.
func openLedger(t *testing.T) *ledger.Ledger {
	t.Helper()
	db, err := metadb.Open(filepath.Join(t.TempDir(), "meta.db"), metadb.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	l, err := ledger.Open(db, ledger.Options{Tmp: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLedger(t *testing.T) {
	l := openLedger(t)
	products := "id,name\np1,one\np2,two\n"
	subscriptions := "id,product_id\ns1,p1\n"
	for object, text := range map[string]string{"products": products, "subscriptions": subscriptions} {
		if _, err := Read(t.Context(), strings.NewReader(text), Options{Object: object, Format: CSV}, l, nil); err != nil {
			t.Fatal(err)
		}
	}
	text := "id,action,occurred_at,subscription_id,product_id\n" +
		"a,usage.consumed,2026-01-01T00:00:00Z,s1,\n" +
		"b,usage.consumed,never,s1,\n" +
		"a,usage.consumed,2026-01-01T00:00:00Z,s1,\n" +
		"a,usage.consumed,2026-01-02T00:00:00Z,s1,\n" +
		"c,usage.consumed,2026-01-01T00:00:00Z,s1,p2\n" +
		"d,,2026-01-01T00:00:00Z,s1,\n"
	result, err := Read(t.Context(), strings.NewReader(text), Options{Object: Activities, Format: CSV}, l, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, result, 1, 1, 1, 3)
	checkErrors(t, result.Errors, []RowError{
		{Line: 3, Field: "occurred_at", Code: CodeInvalidTime},
		{Line: 5, Field: "id", Code: CodeConflict, Message: "is taken by activity 1, which says something else"},
		{Line: 6, Field: "product_id", Code: CodeLinkMismatch},
		{Line: 7, Field: "action", Code: CodeMissingField},
	})
}

// TestLedgerRavenStack sends the sample twice: the second time it is known.
func TestLedgerRavenStack(t *testing.T) {
	file, err := os.Open("../../../../shared/data/ravenstack/ravenstack_feature_usage.csv")
	if err != nil {
		t.Skip("the RavenStack sample is not beside the module: ", err)
	}
	defer file.Close()
	l := openLedger(t)
	result, err := Read(t.Context(), file, ravenStack, l, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, result, 24_979, 0, 21, 0)
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if result, err = Read(t.Context(), file, ravenStack, l, nil); err != nil {
		t.Fatal(err)
	}
	checkCounts(t, result, 0, 24_979, 21, 0)
}

// TestAtomic shows how a caller has a file go in as a whole or not at all.
func TestAtomic(t *testing.T) {
	l := openLedger(t)
	some := errors.New("some rows are wrong")
	text := rows(100) + "bad,b,never,1\n"
	o := Options{Object: Activities, Format: CSV, Limits: Limits{BatchRows: 30}}
	err := l.Atomic(t.Context(), func(a ledger.Transaction) error {
		result, err := Read(t.Context(), strings.NewReader(text), o, a, nil)
		checkCounts(t, result, 100, 0, 0, 1)
		return errors.Join(err, some)
	})
	if !errors.Is(err, some) {
		t.Fatalf("got error %v, want %v", err, some)
	}
	result, err := Read(t.Context(), strings.NewReader(text), o, l, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, result, 100, 0, 0, 1)
}
