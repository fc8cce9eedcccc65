export const useUserNotifications = () => {
    const [notifications, setNotifications] = useState([]);

    useEffect(() => {
        const ws = new WebSocket('ws://localhost:8000/ws/notifications/');

        ws.onmessage = (event) => {
            const data = JSON.parse(event.data);
            
            if (data.type === 'notification' || 
                data.type === 'booking_confirmed' || 
                data.type === 'booking_ready') {
                setNotifications(prev => [...prev, data]);
            }
        };

        return () => ws.close();
    }, []);

    return notifications;
};
