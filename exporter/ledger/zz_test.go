package ledger
import ("testing";"context";"math/rand/v2";"time";"licensekit/exporter/report")
func TestZZ(t *testing.T){
 l:=newLedger(t)
 random := rand.New(rand.NewPCG(1, 2))
 best, bestcpu := time.Hour, time.Hour
 for from := 0; from < 2000000; from += 100000 {
  rows := facts(random, from, 100000)
  st,c:=time.Now(), processor()
  l.Append(context.Background(), rows)
  best=min(best,time.Since(st)); bestcpu=min(bestcpu,processor()-c)
 }
 t.Log("best", best, bestcpu)
 for _, sc := range []report.Scan{{Fields: report.SetOf(report.FieldProduct, report.FieldCustomer, report.FieldFeature)},{Fields: report.AllFields, Order: report.ByTime}} {
 best, bestcpu = time.Hour, time.Hour
 for range 10 {
  n:=0
  st,c:=time.Now(), processor()
  l.View(context.Background(), func(s *Snapshot) error { for f, err := range s.Activities(context.Background(), sc) { n+=f.Len(); if err!=nil{t.Fatal(err)} }; return nil })
  best=min(best,time.Since(st)); bestcpu=min(bestcpu,processor()-c)
  }
  t.Log("scan", best, bestcpu, float64(best.Nanoseconds())/2e6)
 }
 best=time.Hour
 for range 300 { rows := facts(random, 0, 1); st:=time.Now(); l.Append(context.Background(), rows); best=min(best,time.Since(st)) }
 t.Log("one", best)
 rows:=facts(random,0,1)
 st:=time.Now()
 for range 2000 { l.View(context.Background(), func(s *Snapshot) error { b:=batch{rows:rows, outcomes: make([]Outcome,1), queries: []entry{{random.Uint64(),0}}}; return b.compareStored(s.shelf) }) }
 t.Log("lookup+view", time.Since(st)/2000)
}
