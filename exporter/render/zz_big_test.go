package render
import ("testing";"os";"time")
func TestBig(t *testing.T) {
 _,info:=canonical(t,syntheticLedger(t,198_000))
 f,_:=os.Create("/tmp/o/big.pdf"); s:=time.Now()
 if err:=pdfFormat.Encode(t.Context(),f,nil,info);err!=nil{t.Fatal(err)}
 st,_:=f.Stat(); t.Log("encode",time.Since(s),st.Size()); s=time.Now()
 if err:=pdfFormat.CheckPages(t.Context(),f,st.Size(),info);err!=nil{t.Fatal(err)}; t.Log("check",time.Since(s))
}
