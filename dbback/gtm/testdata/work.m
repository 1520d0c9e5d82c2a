work	; work for tests: what can be checked afterwards, and looks like a busy system
	quit
load	; mumps -run load^work MIB : records in scattered order, an index, accounts
	new i,k,n,v
	set n=+$zcmdline*1024*1024\620,v=""
	for i=1:1:150 set v=v_$char(65+(i#26))_$random(1000000)
	for i=1:1:n do
	. set k=i*7919#n
	. set ^big(k)=i_"|"_$extract(v,1+$random(200),500+$random(200))
	. if i#10=0 set ^idx($extract(v,1+(i#300),6+(i#300)),k)=i
	for i=1:1:1000 set ^acct(i)=1000
	set ^n=n
	quit
writer	; mumps -run writer^work "ID PACE" : transactions until ^stop, a pause of PACE ms after each
	new a,b,i,id,k,n,pace,seq,x
	set id=+$piece($zcmdline," ",1),pace=+$piece($zcmdline," ",2)
	set n=^n,seq=+$get(^log(id))
	for  quit:$data(^stop)  do
	. set seq=seq+1,a=$random(1000)+1,b=$random(1000)+1,x=$random(10)
	. tstart ():transactionid="BA"
	. set ^acct(a)=^acct(a)-x,^acct(b)=^acct(b)+x
	. set ^log(id)=seq,^log(id,seq)=a_","_b_","_x
	. for i=1:1:3 set k=$random(n),^big(k)="w"_id_"."_seq_"."_i_"|"_$translate($justify("",400+$random(150))," ",$char(97+$random(26)))
	. set ^new(id,seq)=$translate($justify("",300)," ",$char(97+$random(26)))
	. if seq#5=0 kill ^new(id,seq-4)
	. if seq#1000=0 for i=seq-900:1:seq-700 kill ^new(id,i)
	. tcommit
	. if pace hang pace/1000
	quit
across	; mumps -run across^work "ID PACE" : transactions over globals that begin with A and with b
	new a,id,pace,seq,x
	set id=+$piece($zcmdline," ",1),pace=+$piece($zcmdline," ",2),seq=+$get(^blog(id))
	for  quit:$data(^stop)  do
	. set seq=seq+1,a=$random(1000)+1,x=$random(10)
	. tstart ():transactionid="BA"
	. set ^Aacct(a)=$get(^Aacct(a))-x,^bacct(a)=$get(^bacct(a))+x
	. set ^Alog(id)=seq,^Alog(id,seq)=$justify("",200),^blog(id)=seq,^blog(id,seq)=$justify("",100)
	. tcommit
	. if pace hang pace/1000
	quit
check	; mumps -run check^work : no transaction is half there
	new bad,c,i,id,s
	set s=0,bad=0 for i=1:1:1000 set s=s+$get(^acct(i))
	if s'=1000000 set bad=bad+1 write "the accounts have ",s,!
	set id="" for  set id=$order(^log(id)) quit:id=""  do
	. set c=0,i="" for  set i=$order(^log(id,i)) quit:i=""  set c=c+1 if i'=c set bad=bad+1 write "gap at ",id,",",i,! set c=i
	. if c'=^log(id) set bad=bad+1 write "writer ",id," has ",c," of ",^log(id),!
	set i="" for  set i=$order(^bacct(i)) quit:i=""  if $get(^Aacct(i))+^bacct(i)'=0 set bad=bad+1 write "account ",i," in one region only",!
	set id="" for  set id=$order(^blog(id)) quit:id=""  if $get(^Alog(id))'=^blog(id) set bad=bad+1 write "writer ",id," in one region only",!
	write $select(bad:"CHECK FAILED",1:"CHECK OK"),!
	quit
hold	; mumps -run hold^work : has the databases open and does nothing, until ^stop
	set x=$get(^held) set ^held=1
	for  quit:$data(^stop)  hang .05
	quit
